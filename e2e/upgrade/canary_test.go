package upgrade

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	crlog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/cli"
	"github.com/openservicemesh/osm-operator/internal/demo"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// bookstore is the first namespace of a canary. Its clients and the bookwarehouse, which it calls, are in other
// namespaces.
const bookstore = "bookstore"

func TestCanaryUpgrade(t *testing.T) {
	lab.RequireFull(t)
	addFaultyVersions(t, reject.fault)
	s := deployShop(t, newMesh(t, "canary", cluster.Earlier))
	t.Run("is promoted", func(t *testing.T) {
		s := s.in(t)
		testCanaryPromotion(t, s, s.mesh.killOperatorIn)
	})
	t.Run("is rolled back", func(t *testing.T) { testCanaryRollback(t, s.in(t)) })
}

// testCanaryPromotion upgrades a mesh to this version under load, one namespace first. meanwhile is called with its phases.
func testCanaryPromotion(t *testing.T, s shop, meanwhile func(phases ...string)) {
	t.Helper()
	m, early := s.mesh, s.bookNamespace(bookstore)
	suffix := names.CanarySuffix(m.name, m.revision(cluster.Version))
	late, before := s.podUIDs(s.namespacesExcept(early)...), s.podUIDs(early)
	running := s.startTraffic(0)
	asked := m.command("mesh", "upgrade", "--version", cluster.Version,
		"--strategy", "canary", "--canary-namespaces", corev1.LabelMetadataName+"="+early, "--timeout", upgradeLimit.String())
	meanwhile("CanaryControlPlane")
	m.awaitPhase("CanaryWorkloads")
	// The long soak keeps the canary control plane while its state is checked. Before the first restart it would delay that, too.
	lab.Eventually(t, podLimit, "the first restart in "+early, func(context.Context) (bool, string, error) {
		now := s.podUIDs(early)
		return !slices.Equal(before, now), strings.Join(now, ", "), nil
	})
	m.change(`{"upgrade":{"gates":{"soak":"10m"}}}`)
	meanwhile("CanaryWorkloads")
	lab.Eventually(t, podLimit, "both control planes serve their sidecars", func(ctx context.Context) (bool, string, error) {
		return s.servedBy(ctx, func(namespace string) string {
			if namespace == early {
				return names.WithSuffix(names.Controller, suffix)
			}
			return names.Controller
		})
	})
	s.checkMixedVersions(t)
	first := s.podUIDs(early)
	if diff := cmp.Diff(late, s.podUIDs(s.namespacesExcept(early)...)); diff != "" {
		t.Errorf("pods of other namespaces were restarted (-before +after):\n%s", diff)
	}
	m.change(`{"upgrade":{"gates":{"soak":"5s"}}}`)
	meanwhile("ControlPlane", "Workloads")
	m.awaitResult(v1alpha1.ResultSucceeded, cluster.Earlier, cluster.Version)
	if err := <-asked; err != nil {
		t.Error(err)
	}
	lab.Must(t, cluster.MeshReady(t.Context(), m.name, time.Minute))
	s.checkUpgradedExcept(t, buyer, archive, bookbuyer)
	s.awaitPromoted(t, suffix)
	if diff := cmp.Diff(first, s.podUIDs(early)); diff != "" {
		t.Errorf("pods of the first namespace were restarted again (-before +after):\n%s", diff)
	}
	s.checkAlias(t, suffix)
	running.stop("canary")
}

// testCanaryRollback upgrades a mesh to a version that sidecars reject. Only the first namespace is affected.
func testCanaryRollback(t *testing.T, s shop) {
	t.Helper()
	m, early := s.mesh, s.bookNamespace(bookstore)
	own := &appsv1.Deployment{}
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: m.namespace(), Name: names.Controller}, own))
	late := s.podUIDs(s.namespacesExcept(early)...)
	running := s.startTraffic(0)
	m.change(`{"version":"` + faulty(reject.fault) + `","upgrade":{"gates":{"soak":"15s"}}}`)
	s.awaitRollback(t, reject)
	running.stop("rollback of a canary")
	s.awaitPromoted(t, names.CanarySuffix(m.name, m.revision(faulty(reject.fault))))
	if diff := cmp.Diff(late, s.podUIDs(s.namespacesExcept(early)...)); diff != "" {
		t.Errorf("pods of other namespaces were restarted (-before +after):\n%s", diff)
	}
	after := &appsv1.Deployment{}
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(own), after))
	if own.Generation != after.Generation {
		t.Errorf("the mesh's own control plane was changed: generation %d, then %d", own.Generation, after.Generation)
	}
	byRevision, _, err := s.sidecars(t.Context())
	lab.Must(t, err)
	if remaining := byRevision[m.revision(faulty(reject.fault))]; remaining != 0 {
		t.Errorf("%d sidecars of the rejected version remain: %v", remaining, byRevision)
	}
	m.change(`{"version":"` + cluster.Version + `"}`)
	lab.Must(t, cluster.MeshReady(t.Context(), m.name, time.Minute))
}

// namespacesExcept returns the shop's namespaces without one.
func (s shop) namespacesExcept(one string) []string {
	return slices.DeleteFunc(slices.Clone(s.namespaces()), func(namespace string) bool { return namespace == one })
}

// podUIDs returns the sorted names and UIDs of the pods in namespaces.
func (s shop) podUIDs(namespaces ...string) []string {
	s.t.Helper()
	var all []string
	for _, namespace := range namespaces {
		var pods corev1.PodList
		lab.Must(s.t, cluster.Client.List(s.t.Context(), &pods, client.InNamespace(namespace)))
		for i := range pods.Items {
			if pods.Items[i].DeletionTimestamp == nil {
				all = append(all, fmt.Sprintf("%s/%s %s", namespace, pods.Items[i].Name, pods.Items[i].UID))
			}
		}
	}
	slices.Sort(all)
	return all
}

// command starts an osm command for the mesh and returns its result on a channel. The command ends with the test at the
// latest.
func (m mesh) command(args ...string) <-chan error {
	result, done := make(chan error, 1), make(chan struct{})
	m.t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		_, err := m.osm(m.t.Context(), args...)
		result <- err
	}()
	return result
}

// osm runs an osm command for the mesh and returns its standard output. The error contains its standard error.
func (m mesh) osm(ctx context.Context, args ...string) (string, error) {
	crlog.SetLogger(logr.Discard())
	var out, stderr bytes.Buffer
	root := cli.New(cli.Streams{In: strings.NewReader(""), Out: &out, Err: &stderr}, time.Now, func(string) string { return "" })
	root.SetArgs(append(args, "--kubeconfig", cluster.Kubeconfig, "--mesh-name", m.name))
	if err := root.ExecuteContext(ctx); err != nil {
		return out.String(), fmt.Errorf("osm %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return out.String(), nil
}

// servedBy reports whether all sidecars of the shop are connected to replicas of the Deployment for their namespace.
func (s shop) servedBy(ctx context.Context, deployment func(namespace string) string) (bool, string, error) {
	// The command fails while a sidecar is not connected, and lists that sidecar.
	text, failed := s.mesh.osm(ctx, "proxy", "status", "-o", "json")
	var found struct {
		Items []struct{ Namespace, Pod, State, Replica string }
	}
	if decoding := json.Unmarshal([]byte(text), &found); decoding != nil {
		return false, fmt.Sprintf("%s %v %v", text, failed, decoding), nil
	}
	var wrong []string
	for _, p := range found.Items {
		// The name of a replica consists of the names of its Deployment and ReplicaSet and a suffix.
		parts := strings.Split(p.Replica, "-")
		if by := strings.Join(parts[:max(0, len(parts)-2)], "-"); by != deployment(p.Namespace) {
			wrong = append(wrong, fmt.Sprintf("%s/%s is %s, replica %q", p.Namespace, p.Pod, p.State, p.Replica))
		}
	}
	live, err := s.mesh.read(ctx)
	return err == nil && len(wrong) == 0 && len(found.Items) == totalSidecars,
		fmt.Sprintf("%d of %d sidecars (%v); %s; %s", len(found.Items), totalSidecars, failed, strings.Join(wrong, ", "), upgradeStatus(live)), err
}

// checkMixedVersions waits until both bookstores, with sidecars of the new version, have exchanged requests with sidecars of
// the old version in both directions. None of these requests may fail.
func (s shop) checkMixedVersions(t *testing.T) {
	t.Helper()
	namespace := s.bookNamespace(bookstore)
	var pods corev1.PodList
	lab.Must(t, cluster.Client.List(t.Context(), &pods, client.InNamespace(namespace)))
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		lab.Eventually(t, time.Minute, pod.Name+" has sold and restocked", func(ctx context.Context) (bool, string, error) {
			var counters demo.StoreCounters
			err := cluster.GetJSON(ctx, namespace, pod.Name, demo.Port, "/counters", &counters)
			if err == nil && counters.Outcomes["200"] > 0 && len(counters.Outcomes) > 1 {
				return false, "", &lab.PermanentError{Reason: fmt.Sprintf("requests of %s to the bookwarehouse failed: %v", pod.Name, counters.Outcomes)}
			}
			return err == nil && counters.BooksSold > 0 && counters.Restocked > 0, fmt.Sprintf("%+v %v", counters, err), nil
		})
	}
}

// awaitPromoted waits until the mesh's active control plane serves all sidecars, and checks that nothing of the canary remains.
func (s shop) awaitPromoted(t *testing.T, suffix string) {
	t.Helper()
	for _, name := range []string{names.WithSuffix(names.Controller, suffix), names.WithSuffix(names.Injector, suffix)} {
		// The garbage collector deletes it after its MeshRevision.
		lab.Eventually(t, podLimit, "the Deployment "+name+" is gone", func(ctx context.Context) (bool, string, error) {
			err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: s.mesh.namespace(), Name: name}, &appsv1.Deployment{})
			return apierrors.IsNotFound(err), "it still exists", client.IgnoreNotFound(err)
		})
	}
	webhooks := &admissionv1.MutatingWebhookConfiguration{}
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Name: names.MutatingWebhook(s.mesh.name)}, webhooks))
	if len(webhooks.Webhooks) != 1 || webhooks.Webhooks[0].Name != names.InjectorWebhook {
		t.Errorf("the webhooks are %v, want only the mesh's own", webhooks.Webhooks)
	}
	lab.Eventually(t, podLimit, "the mesh's own control plane serves all sidecars", func(ctx context.Context) (bool, string, error) {
		return s.servedBy(ctx, func(string) string { return names.Controller })
	})
}

// checkAlias checks that the canary's host name, which the first sidecars use, selects the active control plane.
func (s shop) checkAlias(t *testing.T, suffix string) {
	t.Helper()
	alias := &corev1.Service{}
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: s.mesh.namespace(), Name: names.WithSuffix(names.Controller, suffix)}, alias))
	if diff := cmp.Diff(map[string]string{names.AppLabel: names.Controller}, alias.Spec.Selector); diff != "" {
		t.Errorf("the alias selects (-want +got):\n%s", diff)
	}
}
