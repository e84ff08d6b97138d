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
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// bookstore is the namespace that a canary moves first: its callers and the bookwarehouse, which it calls, are in others.
const bookstore = "bookstore"

func TestANewVersionIsTriedInOneNamespaceFirst(t *testing.T) {
	if full() {
		teachFaults(t, reject.fault)
	}
	s := openShop(t, newMesh(t, "canary", before))
	if !full() {
		t.Run("and takes over", func(t *testing.T) { canaryTakesOver(t, s.in(t), func(...string) {}) })
		return
	}
	t.Run("and takes over while the operator is killed", func(t *testing.T) {
		s := s.in(t)
		canaryTakesOver(t, s, s.mesh.killedAt)
	})
	t.Run("and is given up", func(t *testing.T) { canaryIsGivenUp(t, s.in(t)) })
}

// canaryTakesOver moves a mesh to this version under traffic, one namespace first. In each of its phases something else may happen.
func canaryTakesOver(t *testing.T, s shop, meanwhile func(phases ...string)) {
	t.Helper()
	m, early := s.mesh, s.bookNamespace(bookstore)
	suffix := operand.Suffix(m.name, m.revision(cluster.Version))
	late := s.live(s.except(early)...)
	running := s.start(0)
	asked := m.command("mesh", "upgrade", "--version", cluster.Version,
		"--strategy", "canary", "--canary-namespaces", corev1.LabelMetadataName+"="+early, "--timeout", upgradeLimit.String())
	meanwhile("CanaryControlPlane")
	m.reaches("CanaryWorkloads")
	// The control plane beside stays for as long as it is looked at.
	m.change(`{"upgrade":{"gates":{"soak":"10m"}}}`)
	meanwhile("CanaryWorkloads")
	must(t, lab.Until(t.Context(), podLimit, "the sidecars are divided between two control planes", func(ctx context.Context) (bool, string, error) {
		return s.servedBy(ctx, func(namespace string) string {
			if namespace == early {
				return names.Beside(names.Controller, suffix)
			}
			return names.Controller
		})
	}))
	s.storesTrade(t)
	first := s.live(early)
	if diff := cmp.Diff(late, s.live(s.except(early)...)); diff != "" {
		t.Errorf("pods of other namespaces were restarted (-before +after):\n%s", diff)
	}
	m.change(`{"upgrade":{"gates":{"soak":"5s"}}}`)
	meanwhile("ControlPlane", "Workloads")
	m.ends(v1alpha1.ResultSucceeded, before, cluster.Version)
	if err := <-asked; err != nil {
		t.Error(err)
	}
	must(t, cluster.MeshReady(t.Context(), m.name, time.Minute))
	s.movedAllBut(t, buyer, keeper, bookbuyer)
	s.alone(t, suffix)
	if diff := cmp.Diff(first, s.live(early)); diff != "" {
		t.Errorf("pods of the first namespace were restarted once more (-before +after):\n%s", diff)
	}
	s.hasAlias(t, suffix)
	running.stop("canary")
}

// canaryIsGivenUp moves a mesh that runs this version to one that sidecars reject. Only the first namespace notices.
func canaryIsGivenUp(t *testing.T, s shop) {
	t.Helper()
	m, early := s.mesh, s.bookNamespace(bookstore)
	own := &appsv1.Deployment{}
	must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: m.namespace(), Name: names.Controller}, own))
	late := s.live(s.except(early)...)
	running := s.start(0)
	m.change(`{"version":"` + faulty(reject.fault) + `","upgrade":{"gates":{"soak":"15s"}}}`)
	s.hasReturned(t, reject)
	running.stop("return from a canary")
	s.alone(t, operand.Suffix(m.name, m.revision(faulty(reject.fault))))
	if diff := cmp.Diff(late, s.live(s.except(early)...)); diff != "" {
		t.Errorf("pods of other namespaces were restarted (-before +after):\n%s", diff)
	}
	after := &appsv1.Deployment{}
	must(t, cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(own), after))
	if own.Generation != after.Generation {
		t.Errorf("the mesh's own control plane was changed: generation %d, then %d", own.Generation, after.Generation)
	}
	byRevision, _, err := s.sidecars(t.Context())
	must(t, err)
	if left := byRevision[m.revision(faulty(reject.fault))]; left != 0 {
		t.Errorf("%d sidecars of the version that was given up are left: %v", left, byRevision)
	}
	m.change(`{"version":"` + cluster.Version + `"}`)
	must(t, cluster.MeshReady(t.Context(), m.name, time.Minute))
}

// except are the shop's namespaces without one.
func (s shop) except(one string) []string {
	return slices.DeleteFunc(slices.Clone(s.namespaces()), func(namespace string) bool { return namespace == one })
}

// live are the names and UIDs of the pods of namespaces, sorted.
func (s shop) live(namespaces ...string) []string {
	s.t.Helper()
	var all []string
	for _, namespace := range namespaces {
		var pods corev1.PodList
		must(s.t, cluster.Client.List(s.t.Context(), &pods, client.InNamespace(namespace)))
		for i := range pods.Items {
			if pods.Items[i].DeletionTimestamp == nil {
				all = append(all, fmt.Sprintf("%s/%s %s", namespace, pods.Items[i].Name, pods.Items[i].UID))
			}
		}
	}
	slices.Sort(all)
	return all
}

// command begins a command of osm about the mesh, and tells how it has ended. That is with the test at the latest.
func (m mesh) command(args ...string) <-chan error {
	said, ended := make(chan error, 1), make(chan struct{})
	m.t.Cleanup(func() { <-ended })
	go func() {
		defer close(ended)
		_, err := m.osm(m.t.Context(), args...)
		said <- err
	}()
	return said
}

// osm runs a command about the mesh, and returns what it printed. The error has what it told beside that.
func (m mesh) osm(ctx context.Context, args ...string) (string, error) {
	crlog.SetLogger(logr.Discard())
	var out, told bytes.Buffer
	root := cli.New(cli.Streams{In: strings.NewReader(""), Out: &out, Err: &told}, time.Now, func(string) string { return "" })
	root.SetArgs(append(args, "--kubeconfig", cluster.Kubeconfig, "--mesh-name", m.name))
	if err := root.ExecuteContext(ctx); err != nil {
		return out.String(), fmt.Errorf("osm %s: %w: %s", strings.Join(args, " "), err, told.String())
	}
	return out.String(), nil
}

// servedBy says whether all sidecars of the shop are connected to replicas of the Deployment that should serve their namespace.
func (s shop) servedBy(ctx context.Context, deployment func(namespace string) string) (bool, string, error) {
	// It fails while a sidecar is not connected, and says which.
	text, failed := s.mesh.osm(ctx, "proxy", "status", "-o", "json")
	var found struct {
		Items []struct{ Namespace, Pod, State, Replica string }
	}
	if decoding := json.Unmarshal([]byte(text), &found); decoding != nil {
		return false, fmt.Sprintf("%s %v %v", text, failed, decoding), nil
	}
	var wrong []string
	for _, p := range found.Items {
		// The name of a replica is that of its Deployment, of its ReplicaSet and its own.
		parts := strings.Split(p.Replica, "-")
		if by := strings.Join(parts[:max(0, len(parts)-2)], "-"); by != deployment(p.Namespace) {
			wrong = append(wrong, fmt.Sprintf("%s/%s is %s at %q", p.Namespace, p.Pod, p.State, p.Replica))
		}
	}
	live, err := s.mesh.read(ctx)
	return err == nil && len(wrong) == 0 && len(found.Items) == sidecarsInAll,
		fmt.Sprintf("%d of %d sidecars (%v); %s; %s", len(found.Items), sidecarsInAll, failed, strings.Join(wrong, ", "), told(live)), err
}

// storesTrade waits until both bookstores, which have sidecars of the new version, have sold to and bought from sidecars of the old one,
// and wants none of their requests to have failed.
func (s shop) storesTrade(t *testing.T) {
	t.Helper()
	namespace := s.bookNamespace(bookstore)
	var pods corev1.PodList
	must(t, cluster.Client.List(t.Context(), &pods, client.InNamespace(namespace)))
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		must(t, lab.Until(t.Context(), time.Minute, pod.Name+" sells and restocks", func(ctx context.Context) (bool, string, error) {
			var counters demo.StoreCounters
			err := cluster.GetJSON(ctx, namespace, pod.Name, demo.Port, "/counters", &counters)
			if err == nil && counters.Outcomes["200"] > 0 && len(counters.Outcomes) > 1 {
				return false, "", &lab.HopelessError{Reason: fmt.Sprintf("requests of %s to the bookwarehouse failed: %v", pod.Name, counters.Outcomes)}
			}
			return err == nil && counters.BooksSold > 0 && counters.Restocked > 0, fmt.Sprintf("%+v %v", counters, err), nil
		}))
	}
}

// alone waits until the mesh has one control plane, which serves all sidecars, and nothing of the one beside it is left.
func (s shop) alone(t *testing.T, suffix string) {
	t.Helper()
	for _, name := range []string{names.Beside(names.Controller, suffix), names.Beside(names.Injector, suffix)} {
		err := cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: s.mesh.namespace(), Name: name}, &appsv1.Deployment{})
		if !apierrors.IsNotFound(err) {
			t.Errorf("the Deployment %s is left: %v", name, err)
		}
	}
	webhooks := &admissionv1.MutatingWebhookConfiguration{}
	must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Name: names.MutatingWebhook(s.mesh.name)}, webhooks))
	if len(webhooks.Webhooks) != 1 || webhooks.Webhooks[0].Name != names.InjectorWebhook {
		t.Errorf("the webhooks are %v, want the mesh's own alone", webhooks.Webhooks)
	}
	must(t, lab.Until(t.Context(), podLimit, "the mesh's own control plane serves all sidecars", func(ctx context.Context) (bool, string, error) {
		return s.servedBy(ctx, func(string) string { return names.Controller })
	}))
}

// hasAlias wants the host that the first sidecars began with to lead to the mesh's own control plane.
func (s shop) hasAlias(t *testing.T, suffix string) {
	t.Helper()
	alias := &corev1.Service{}
	must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: s.mesh.namespace(), Name: names.Beside(names.Controller, suffix)}, alias))
	if diff := cmp.Diff(map[string]string{names.AppLabel: names.Controller}, alias.Spec.Selector); diff != "" {
		t.Errorf("the alias selects (-want +got):\n%s", diff)
	}
}
