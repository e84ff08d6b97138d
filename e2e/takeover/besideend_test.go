package takeover

import (
	"context"
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

// complete removes OSM when the command asks for it, and ends the takeover.
func (b *beside) complete() {
	t := b.t
	t.Helper()
	command := startOSM(t, "migrate", "run", "--yes")
	command.awaitPrinted("helm uninstall "+release+" --namespace "+osmNamespace+" --no-hooks", effectLimit)
	lab.Must(t, uninstallOSM(t.Context()))
	command.wait(installLimit)
	eventually(t, "spec.adoption is removed, and its status", func(ctx context.Context) (bool, string, error) {
		status, text, err := adoption(ctx)
		return err == nil && status == nil, text, err
	})
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, installLimit))
	if rootOf(t, besideNamespace, names.CABundleSecret) != b.root || rootOf(t, osmNamespace, names.CABundleSecret) != b.root {
		t.Error("the certificate authority changed")
	}
	b.step("the takeover is complete")
}

// rotationLimit is the time limit for a rotation.
const rotationLimit = 8 * time.Minute

// rotate replaces the authority that OSM has known. The kubelet of the local cluster updates files within seconds, so the operator waits less than by default.
func (b *beside) rotate() {
	t := b.t
	t.Helper()
	const delay = `[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--mount-delay=20s"}]`
	kubectl(t, "patch", "deployment", names.Operator, "--namespace", names.OperatorNamespace, "--type", "json", "--patch", delay)
	lab.Must(t, cluster.Available(t.Context(), installLimit, names.OperatorNamespace))
	patchMesh(t, `{"spec":{"certificates":{"rotateRoot":"after-the-takeover"}}}`)
	last := ""
	lab.Eventually(t, rotationLimit, "the mesh has another root", func(ctx context.Context) (bool, string, error) {
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
	})
	b.step("the authority is rotated")
}
