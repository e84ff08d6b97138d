package takeover

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
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
	go every(counting, pollInterval, func() { b.purchases.read(counting) })
	stopCapture := capturePlaintext(t)

	session, err := agent(t, shopNamespace, caller).StartSession(t.Context(), echoAddress(archive))
	lab.Must(t, err)
	b.session = session
	b.purchases.sinceLast()
	b.begin("OSM alone")
	time.Sleep(20 * time.Second)
	b.begin("Prepared and Injecting")
	lab.Must(t, cluster.InstallOperator(t.Context(), installLimit))
	b.step("the operator runs")
	t.Log(runOSM(t, "migrate", "plan"))
	b.inject()
	b.restartOSM()
	b.begin("Restarting, the first half")
	b.restartHalf()
	b.requireTraffic()
	b.begin(rollback)
	b.rollBack()
	b.begin("Restarting")
	b.restartAll()
	b.begin("the removal of OSM")
	b.complete()
	stopCapture()
	b.requireTraffic()
	requireSame(t, "what users wrote", b.users, userRecords(t))
	b.begin("rotation")
	b.rotate()
	for class, c := range b.end() {
		if c.failed > c.atEnd {
			t.Errorf("%d of %d requests of %s failed during the rotation", c.failed, c.requests, class)
		}
	}
	b.awaitLongLoad()
	requireLimits(t, "forward", b.forward, maxShares)
	requireLimits(t, "back", b.back, maxSharesBack)
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

// inject runs the takeover until the Mesh injects.
func (b *beside) inject() {
	t := b.t
	t.Helper()
	command := startOSM(t, "migrate", "run", "--yes", "--to", "injecting")
	b.awaitInjecting()
	command.wait(effectLimit)
	patchMesh(t, `{"spec":{"upgrade":{"dataPlane":{"pauseBetween":"5s"}}}}`)
	b.step("the Mesh injects")
}

// awaitInjecting waits until the Mesh injects, and installs the operator again if the condition asks for it, because OSM has restored its definitions.
func (b *beside) awaitInjecting() {
	t := b.t
	t.Helper()
	lab.Eventually(t, installLimit, "the Mesh injects", func(ctx context.Context) (bool, string, error) {
		status, text, err := adoption(ctx)
		if err != nil || status == nil {
			return false, text, err
		}
		if strings.Contains(text, "install the operator again") {
			t.Logf("installing the operator again: %s", text)
			lab.Must(t, cluster.InstallOperator(ctx, installLimit))
			return false, text, awaitOther(ctx, text)
		}
		restored, err := cluster.Kubectl(ctx, "get", "crd", "-l", "openservicemesh.io/reconcile", "-o", "name")
		return err == nil && restored == "" && strings.HasPrefix(text, string(v1alpha1.AdoptionInjecting)+":"), text + restored, err
	})
	awaitWebhooks(t, besideNamespace)
	eventually(t, "TrafficSplits are served in the version of the Mesh", func(ctx context.Context) (bool, string, error) {
		output, err := cluster.Kubectl(ctx, "get", "trafficsplits.v1alpha4.split.smi-spec.io", "--all-namespaces", "-o", "name")
		return output != "", "there are none", err
	})
}

// awaitOther waits until the condition has another text.
func awaitOther(ctx context.Context, text string) error {
	return lab.Until(ctx, effectLimit, "the takeover goes on", func(ctx context.Context) (bool, string, error) {
		_, now, err := adoption(ctx)
		return now != text, now, err
	})
}

// restartOSM restarts the programs of OSM, which write their webhooks and definitions back, and waits until those of the Mesh are in effect again.
func (b *beside) restartOSM() {
	t := b.t
	t.Helper()
	kubectl(t, "rollout", "restart", "deployment", "--namespace", osmNamespace)
	lab.Must(t, cluster.Available(t.Context(), installLimit, osmNamespace))
	b.awaitInjecting()
	b.step("the programs of OSM have restarted")
}

// restartHalf restarts about half of the workloads.
func (b *beside) restartHalf() {
	t := b.t
	t.Helper()
	status, _, err := adoption(t.Context())
	lab.Must(t, err)
	command := b.startRestarts()
	all := status.EarlierSidecars
	lab.Eventually(t, restartLimit, "half of the sidecars are those of the Mesh", func(ctx context.Context) (bool, string, error) {
		status, text, err := adoption(ctx)
		return err == nil && status != nil && status.Sidecars*2 >= all, text, err
	})
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
	lab.Must(t, err)
	requireSame(t, "the webhooks of OSM", b.webhooks, restored)
	b.requireReturned()
	requireSame(t, "what users wrote", b.users, userRecords(t))
	b.step("everything is back")
}

// restartAll takes over until only bare pods have sidecars of OSM, and replaces those.
func (b *beside) restartAll() {
	t := b.t
	t.Helper()
	command := b.startRestarts()
	lab.Eventually(t, restartLimit, "only bare pods have sidecars of OSM", func(ctx context.Context) (bool, string, error) {
		status, text, err := adoption(ctx)
		return err == nil && status != nil && status.Step == string(v1alpha1.AdoptionRestarting) && status.EarlierSidecars == bareSidecars, text, err
	})
	lab.Must(t, cluster.Available(t.Context(), podLimit, members()...))
	b.step("only bare pods have sidecars of OSM")
	b.requireTraffic()
	b.withoutBare = true
	b.begin("the replacement of bare pods")
	kept, err := b.session.Stop(t.Context())
	lab.Must(t, err)
	if kept.Failure != "" {
		t.Errorf("the connection between bare pods broke after %d exchanges: %s", kept.Exchanges, kept.Error)
	}
	for _, name := range []string{archive, caller} {
		replacePod(t, name)
	}
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, shopNamespace))
	command.wait(effectLimit)
	b.step("no sidecar of OSM is left")
}
