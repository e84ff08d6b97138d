package takeover

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// restartLimit is the time limit for restarts of all workloads.
const restartLimit = 10 * time.Minute

// run takes over, goes back, takes over again, and rotates the authority.
func (b *beside) run() {
	t := b.t
	t.Helper()
	counting, stopCounting := context.WithCancel(context.WithoutCancel(t.Context()))
	defer stopCounting()
	go func() {
		for counting.Err() == nil {
			b.purchases.read(counting)
			time.Sleep(pollInterval)
		}
	}()
	stopCapture := capturePlaintext(t)

	b.begin("OSM alone")
	time.Sleep(20 * time.Second)
	b.begin("Beside and Injecting")
	must(t, cluster.InstallOperator(t.Context(), installLimit))
	b.step("the operator runs")
	t.Log(runOSM(t, "migrate", "plan"))
	b.inject()
	b.restartOSM()
	b.begin("Restarting, the first half")
	b.restartHalf()
	requireTraffic(t, caller)
	b.begin("rollback")
	b.rollBack()
	b.begin("Restarting")
	b.restartAll()
	b.begin("the removal of OSM")
	b.complete()
	stopCapture()
	requireTraffic(t, caller)
	requireSame(t, "what users wrote", b.users, userRecords(t))
	b.begin("rotation")
	b.rotate()
	b.end()
}

// adoption reads the progress of the takeover.
func adoption(ctx context.Context) (*v1alpha1.AdoptionStatus, string, error) {
	var mesh v1alpha1.Mesh
	if err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, &mesh); err != nil {
		return nil, "", client.IgnoreNotFound(err)
	}
	text := ""
	if c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionAdopting); c != nil {
		text = c.Reason + ": " + c.Message
	}
	return mesh.Status.Adoption, text, nil
}

// inject runs the takeover until the Mesh injects, and installs the operator again if the condition asks for it.
func (b *beside) inject() {
	t := b.t
	t.Helper()
	command := startOSM(t, "migrate", "run", "--yes", "--to", "injecting")
	deadline := time.Now().Add(installLimit)
	for again := 0; ; {
		select {
		case <-command.done:
			command.wait(effectLimit)
			awaitWebhooks(t, besideNamespace)
			b.step("the Mesh injects")
			return
		case <-time.After(pollInterval):
		}
		_, text, err := adoption(t.Context())
		must(t, err)
		if strings.Contains(text, "install the operator again") && again < 3 {
			again++
			t.Logf("%s: installing the operator again", text)
			must(t, cluster.InstallOperator(t.Context(), installLimit))
		}
		if time.Now().After(deadline) {
			t.Fatalf("the Mesh does not inject: %s\n%s", text, command.printed())
		}
	}
}

// restartOSM restarts the programs of OSM, which write their webhooks back, and waits until the operator has repaired them.
func (b *beside) restartOSM() {
	t := b.t
	t.Helper()
	kubectl(t, "rollout", "restart", "deployment", "--namespace", osmNamespace)
	must(t, cluster.Available(t.Context(), installLimit, osmNamespace))
	awaitWebhooks(t, besideNamespace)
	patchMesh(t, `{"spec":{"upgrade":{"dataPlane":{"pauseBetween":"5s"}}}}`)
	b.step("the programs of OSM have restarted")
}

// restartHalf restarts about half of the workloads.
func (b *beside) restartHalf() {
	t := b.t
	t.Helper()
	status, _, err := adoption(t.Context())
	must(t, err)
	command := startOSM(t, "migrate", "run", "--yes", "--to", "restarting")
	all := status.EarlierSidecars
	must(t, lab.Until(t.Context(), restartLimit, "half of the sidecars are those of the Mesh", func(ctx context.Context) (bool, string, error) {
		status, text, err := adoption(ctx)
		return err == nil && status != nil && status.Sidecars*2 >= all, text, err
	}))
	command.interrupt()
	b.step(fmt.Sprintf("half of %d sidecars are those of the Mesh", all))
}

// rollBack goes back to OSM, and requires that it has everything as before.
func (b *beside) rollBack() {
	t := b.t
	t.Helper()
	startOSM(t, "migrate", "rollback", "--yes").wait(restartLimit)
	for _, namespace := range members() {
		eventually(t, "all pods of "+namespace+" have sidecars of OSM", func(ctx context.Context) (bool, string, error) {
			left, err := podsWithout(ctx, namespace, hasSidecarOfOSM)
			return len(left) == 0, strings.Join(left, ", "), err
		})
	}
	restored, err := webhookRecords(t.Context())
	must(t, err)
	requireSame(t, "the webhooks of OSM", b.webhooks, restored)
	requireSame(t, "what users wrote", b.users, userRecords(t))
	b.step("everything is back")
}

// restartAll takes over until only bare pods have sidecars of OSM, and replaces those.
func (b *beside) restartAll() {
	t := b.t
	t.Helper()
	command := startOSM(t, "migrate", "run", "--yes", "--to", "restarting")
	must(t, lab.Until(t.Context(), restartLimit, "only bare pods have sidecars of OSM", func(ctx context.Context) (bool, string, error) {
		status, text, err := adoption(ctx)
		return err == nil && status != nil && status.Step == string(v1alpha1.AdoptionRestarting) && status.EarlierSidecars == bareSidecars, text, err
	}))
	must(t, cluster.Available(t.Context(), podLimit, members()...))
	b.step("only bare pods have sidecars of OSM")
	requireTraffic(t, caller)
	b.withoutBare = true
	b.begin("the replacement of bare pods")
	for _, name := range []string{archive, caller} {
		replacePod(t, name)
	}
	must(t, cluster.PodsReady(t.Context(), podLimit, shopNamespace))
	command.wait(effectLimit)
	b.step("no sidecar of OSM is left")
}

// complete removes OSM when the command asks for it, and ends the takeover.
func (b *beside) complete() {
	t := b.t
	t.Helper()
	command := startOSM(t, "migrate", "run", "--yes")
	command.awaitPrinted("helm uninstall "+release+" --namespace "+osmNamespace+" --no-hooks", effectLimit)
	must(t, uninstallOSM(t.Context()))
	command.wait(installLimit)
	eventually(t, "spec.adoption is removed, and its status", func(ctx context.Context) (bool, string, error) {
		status, text, err := adoption(ctx)
		return err == nil && status == nil, text, err
	})
	must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, installLimit))
	if rootOf(t, besideNamespace, names.CABundleSecret) != b.root || rootOf(t, osmNamespace, names.CABundleSecret) != b.root {
		t.Error("the certificate authority changed")
	}
	b.step("the takeover is complete")
}

// rotationLimit is the time limit for a rotation.
const rotationLimit = 8 * time.Minute

// rotate replaces the authority that OSM has known.
func (b *beside) rotate() {
	t := b.t
	t.Helper()
	patchMesh(t, `{"spec":{"certificates":{"rotateRoot":"after-the-takeover"}}}`)
	last := ""
	must(t, lab.Until(t.Context(), rotationLimit, "the mesh has another root", func(ctx context.Context) (bool, string, error) {
		var mesh v1alpha1.Mesh
		if err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, &mesh); err != nil {
			return false, "", err
		}
		if c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionRotatingAuthority); c != nil {
			if c.Reason != last {
				t.Logf("%s: %s", c.Reason, c.Message)
				last = c.Reason
			}
			return false, c.Reason + ": " + c.Message, nil
		}
		var secret corev1.Secret
		err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: besideNamespace, Name: names.ActiveCASecret}, &secret)
		return err == nil && !strings.Contains(string(secret.Data[certificate.TrustKey]), strings.TrimSpace(b.root)), "the root is the earlier one", err
	}))
	b.step("the authority is rotated")
}
