package upgrade

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Workloads of TestWorkloadsOfOtherControllersAreRestarted.
const (
	// stepped is a Rollout with the strategy canary, and green one with the strategy blueGreen.
	stepped, green = "stepped", "green"
	// halfway is a Rollout that pauses in the middle of a canary.
	halfway = "halfway"
	// cloned is a CloneSet, and parted one with a partition.
	cloned, parted = "cloned", "parted"
	// ordered is a StatefulSet of OpenKruise.
	ordered = "ordered"
)

// promotionLimit bounds the promotion of a canary, and the restart after it.
const promotionLimit = 6 * time.Minute

// restartedByOthers are the workloads that are restarted.
var restartedByOthers = []string{stepped, green, cloned, ordered}

// TestWorkloadsOfOtherControllersAreRestarted runs the controllers of Argo Rollouts and OpenKruise. An upgrade restarts their workloads without a
// failed request, and all their pods are ready when it ends. It does not wait for a canary of an application that is paused halfway, and does not restart
// it before it is promoted.
func TestWorkloadsOfOtherControllersAreRestarted(t *testing.T) {
	lab.RequireFull(t)
	if lab.IsCurrent() {
		t.Skip("the controllers are installed in the local cluster only")
	}
	for _, server := range []string{"argo-rollouts", "kruise"} {
		lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load-servers", server))
		t.Cleanup(func() {
			lab.Must(t, cluster.Repository.Tool(context.Background(), os.Stderr, "./cluster", server, "down"))
		})
		lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", server, "up"))
	}
	m := newMesh(t, "others", cluster.Earlier)
	s := shop{t, m, m.shop()}
	lab.Must(t, cluster.CreateNamespace(t.Context(), s.namespace, m.name))
	t.Cleanup(s.close)
	s.deployOthers()
	s.startHalfway()

	requests := map[string]*lab.Running[report.Requests]{}
	for _, server := range restartedByOthers {
		s.awaitReachable(s.agent(buyer), server)
		var err error
		requests[server], err = s.agent(buyer).StartRequests(t.Context(), s.url(server), "--rate", "30", "--most", "30", "--timeout", requestTimeout)
		lab.Must(t, err)
	}
	earlier := s.podsOf(parted)
	templates := map[string]string{stepped: s.stableTemplate(stepped), green: s.stableTemplate(green)}
	m.change(`{"version":"` + cluster.Version + `"}`)
	m.awaitResult(v1alpha1.ResultSucceeded, cluster.Earlier, cluster.Version)
	s.checkRestarted(restartedByOthers...)
	for name, hash := range templates {
		if now := s.stableTemplate(name); now != hash {
			t.Errorf("the Rollout %s has the pod template %s, then %s: the restart began a canary of the application", name, hash, now)
		}
	}
	if now := s.podsOf(parted); len(now) != len(earlier) || now[0].UID != earlier[0].UID || now[1].UID != earlier[1].UID {
		t.Errorf("pods of the CloneSet with a partition were replaced")
	}
	s.awaitNamed("Rollout.argoproj.io "+s.namespace+"/"+halfway, "CloneSet.apps.kruise.io "+s.namespace+"/"+parted)
	s.finishHalfway()
	for server, running := range requests {
		result, err := running.Stop(t.Context())
		lab.Must(t, err)
		t.Logf("%s: %d requests: %v", server, result.Requests, result.Outcomes)
		if result.Failed() > 0 || !result.IsRepresentative() {
			t.Errorf("requests to %s failed: %+v", server, result)
		}
	}
}

// otherKind is a kind of another project.
type otherKind struct{ apiVersion, kind string }

var (
	rolloutKind  = otherKind{"argoproj.io/v1alpha1", "Rollout"}
	cloneSetKind = otherKind{"apps.kruise.io/v1alpha1", "CloneSet"}
	orderedKind  = otherKind{"apps.kruise.io/v1beta1", "StatefulSet"}
)

// stableTemplate is the hash of the stable pod template of a Rollout.
func (s shop) stableTemplate(name string) string {
	s.t.Helper()
	hash, _, err := unstructured.NestedString(s.other(rolloutKind, name).Object, "status", "stableRS")
	lab.Must(s.t, err)
	return hash
}

// other reads a workload.
func (s shop) other(kind otherKind, name string) *unstructured.Unstructured {
	s.t.Helper()
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(kind.apiVersion)
	object.SetKind(kind.kind)
	lab.Must(s.t, cluster.Client.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, object))
	return object
}

// deployOthers deploys the workloads with two replicas each, and waits until they are ready.
func (s shop) deployOthers() {
	s.t.Helper()
	account, pod := cluster.TestPod(s.namespace, buyer)
	lab.Must(s.t, cluster.Create(s.t.Context(), account, pod))
	canary := map[string]any{"canary": map[string]any{"steps": []any{map[string]any{"setWeight": int64(50)}, map[string]any{"pause": map[string]any{}}}}}
	s.deployOther(rolloutKind, stepped, map[string]any{"strategy": canary})
	s.deployOther(rolloutKind, halfway, map[string]any{"strategy": canary})
	s.deployOther(rolloutKind, green, map[string]any{"strategy": map[string]any{"blueGreen": map[string]any{"activeService": green}}})
	s.deployOther(cloneSetKind, cloned, nil)
	s.deployOther(cloneSetKind, parted, map[string]any{"updateStrategy": map[string]any{"partition": int64(1)}})
	s.deployOther(orderedKind, ordered, map[string]any{"serviceName": ordered})
	lab.Eventually(s.t, podLimit, "the controllers have created the pods", func(context.Context) (bool, string, error) {
		for _, name := range slices.Concat(restartedByOthers, []string{halfway, parted}) {
			if pods := s.podsOf(name); len(pods) != 2 {
				return false, fmt.Sprintf("%s has %d pods", name, len(pods)), nil
			}
		}
		return true, "", nil
	})
	lab.Must(s.t, cluster.PodsReady(s.t.Context(), podLimit, s.namespace))
}

// deployOther creates a workload of two replicas with the test tools, which clients may call.
func (s shop) deployOther(kind otherKind, name string, fields map[string]any) {
	s.t.Helper()
	lab.Must(s.t, cluster.Put(s.t.Context(), fmt.Sprintf(policies, s.namespace, name)))
	template := s.template(name)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&template)
	lab.Must(s.t, err)
	labels := map[string]any{}
	for key, value := range template.Labels {
		labels[key] = value
	}
	spec := map[string]any{"replicas": int64(2), "selector": map[string]any{"matchLabels": labels}, "template": content}
	maps.Copy(spec, fields)
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetAPIVersion(kind.apiVersion)
	object.SetKind(kind.kind)
	object.SetNamespace(s.namespace)
	object.SetName(name)
	// Webhooks answer late after the installation of their controllers.
	lab.Eventually(s.t, time.Minute, "the API server accepts "+name, func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Create(ctx, object)
		if apierrors.IsInternalError(err) {
			return false, err.Error(), nil
		}
		return err == nil, "", err
	})
}

// awaitPhaseOf waits for a phase of a Rollout.
func (s shop) awaitPhaseOf(name, phase string) {
	s.t.Helper()
	lab.Eventually(s.t, podLimit, "the Rollout "+name+" is "+phase, func(context.Context) (bool, string, error) {
		now, _, err := unstructured.NestedString(s.other(rolloutKind, name).Object, "status", "phase")
		return now == phase, now, err
	})
}

// startHalfway begins a canary of an application, which pauses with one pod of two.
func (s shop) startHalfway() {
	s.t.Helper()
	s.awaitPhaseOf(halfway, "Healthy")
	patch := `{"spec":{"template":{"metadata":{"annotations":{"release":"second"}}}}}`
	lab.Must(s.t, cluster.Patch(s.t.Context(), s.other(rolloutKind, halfway), patch))
	s.awaitPhaseOf(halfway, "Paused")
}

// finishHalfway promotes the canary. The pod of it that is older than the upgrade is restarted then.
func (s shop) finishHalfway() {
	s.t.Helper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"promoteFull":true}}`))
	lab.Must(s.t, cluster.Client.Status().Patch(s.t.Context(), s.other(rolloutKind, halfway), patch))
	want := s.mesh.revision(cluster.Version)
	lab.Eventually(s.t, promotionLimit, "the promoted pods have the sidecars of the new version", func(context.Context) (bool, string, error) {
		revisions := s.revisionsOf(halfway)
		return slices.Equal(revisions, []string{want, want}), strings.Join(revisions, ", ") + "; " + s.describeRollout(halfway), nil
	})
	s.awaitPhaseOf(halfway, "Healthy")
}

// describeRollout is what a restart of a Rollout depends on.
func (s shop) describeRollout(name string) string {
	s.t.Helper()
	object := s.other(rolloutKind, name)
	text := fmt.Sprintf("generation %d", object.GetGeneration())
	for _, path := range [][]string{{"spec", "restartAt"}, {"status", "restartedAt"}, {"status", "observedGeneration"}, {"status", "phase"}, {"status", "message"}} {
		value, _, _ := unstructured.NestedFieldNoCopy(object.Object, path...)
		text += fmt.Sprintf(", %s %v", path[1], value)
	}
	return text
}

// revisionsOf returns the revisions of the sidecars of an app.
func (s shop) revisionsOf(app string) []string {
	s.t.Helper()
	var revisions []string
	for _, pod := range s.podsOf(app) {
		revisions = append(revisions, pod.Labels[names.RevisionLabel])
	}
	return revisions
}

// checkRestarted fails unless apps have two ready pods each with the sidecars of the new version.
func (s shop) checkRestarted(apps ...string) {
	s.t.Helper()
	want := s.mesh.revision(cluster.Version)
	live, err := s.mesh.read(s.t.Context())
	lab.Must(s.t, err)
	for _, app := range apps {
		if revisions := s.revisionsOf(app); !slices.Equal(revisions, []string{want, want}) {
			s.t.Errorf("the pods of %s have the revisions %v, want %s twice: %s", app, revisions, want, lab.Conditions(live.Status.Conditions))
		}
		for _, pod := range s.podsOf(app) {
			if !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue }) {
				s.t.Errorf("the pod %s is not ready after the upgrade", pod.Name)
			}
		}
	}
	s.awaitPhaseOf(stepped, "Healthy")
	s.awaitPhaseOf(green, "Healthy")
}

// awaitNamed waits until the conditions of the Mesh name workloads that were not restarted.
func (s shop) awaitNamed(workloads ...string) {
	s.t.Helper()
	lab.Eventually(s.t, time.Minute, "the conditions name the workloads that were not restarted", func(ctx context.Context) (bool, string, error) {
		live, err := s.mesh.read(ctx)
		if err != nil {
			return false, "", err
		}
		text := lab.Conditions(live.Status.Conditions)
		return !slices.ContainsFunc(workloads, func(name string) bool { return !strings.Contains(text, name) }), text, nil
	})
}
