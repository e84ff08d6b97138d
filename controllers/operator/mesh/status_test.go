package mesh

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
)

// noon is the time of all tests.
func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

// revisionIn is a revision in a state; nil when it does not exist.
func revisionIn(state condition.State) *v1alpha1.MeshRevision {
	revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "osm-v0-1-0", Generation: 2}}
	condition.Of(&revision.Status.Conditions, 2, noon()).Summarise(condition.Verdict{State: state, Reason: v1alpha1.ReasonReplicasFailed, Message: "revision says so"})
	return revision
}

// Every status that the reconciler can come to keeps the rules, whatever came before it.
func TestEveryConclusionKeepsTheRules(t *testing.T) {
	phases := (&Reconciler{}).script()
	results := map[string]error{
		"no error":           nil,
		"failed to apply":    &failure{phases[0], errors.New("the API server says no")},
		"failed certificate": &failure{phases[3], errors.New("the key does not fit")},
		"stalled":            &failure{phases[0], &stalled{v1alpha1.ReasonUnknownVersion, "this version is not known"}},
		"failed to observe":  errors.New("the list fails"),
	}
	revisions := map[string]*v1alpha1.MeshRevision{
		"none": nil, "working": revisionIn(condition.Working), "ready": revisionIn(condition.Ready), "failing": revisionIn(condition.Failing),
	}
	accepted := judgeMeshConfig(nil)
	r := &Reconciler{Now: noon}
	var conditions []metav1.Condition
	generation := int64(1)
	for resultName, err := range results {
		for revisionName, revision := range revisions {
			for _, pending := range [][]string{nil, {"the webhook waits"}} {
				for _, configuration := range []*condition.Verdict{nil, &accepted} {
					generation++
					s := &scope{
						mesh:         &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", Generation: generation}, Status: v1alpha1.MeshStatus{Conditions: conditions}},
						baseRevision: revision, pending: pending, configuration: configuration,
					}
					r.conclude(s, err)
					conditions = s.mesh.Status.Conditions
					if broken := condition.Lint(generation, generation, conditions); len(broken) > 0 {
						t.Errorf("%s, revision %s, pending %v: %v", resultName, revisionName, pending, broken)
					}
				}
			}
		}
	}
}

func TestSummaryTellsWhatMattersMost(t *testing.T) {
	phases := (&Reconciler{}).script()
	tests := map[string]struct {
		err     error
		current *v1alpha1.MeshRevision
		pending []string
		status  metav1.ConditionStatus
		says    string
	}{
		"all is well":                        {nil, revisionIn(condition.Ready), nil, metav1.ConditionTrue, "version v0.1.0 runs in namespace osm-system"},
		"pods say more than webhooks":        {nil, revisionIn(condition.Working), []string{"the webhook waits"}, metav1.ConditionUnknown, "revision says so"},
		"webhooks keep it from being ready":  {nil, revisionIn(condition.Ready), []string{"the webhook waits"}, metav1.ConditionUnknown, "the webhook waits"},
		"failure is worse than waiting":      {&failure{phases[4], errors.New("refused")}, revisionIn(condition.Working), nil, metav1.ConditionFalse, "refused"},
		"a certificate is told as such":      {&failure{phases[3], errors.New("bad key")}, revisionIn(condition.Ready), nil, metav1.ConditionFalse, "bad key"},
		"what somebody must change is worst": {&failure{phases[0], &stalled{"InvalidSpec", "change it"}}, revisionIn(condition.Failing), nil, metav1.ConditionFalse, "change it"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &scope{mesh: &v1alpha1.Mesh{}, wanted: desired.Mesh{Version: "v0.1.0", Namespace: "osm-system"}, baseRevision: test.current, pending: test.pending}
			(&Reconciler{Now: noon}).conclude(s, test.err)
			ready := meta.FindStatusCondition(s.mesh.Status.Conditions, v1alpha1.ConditionReady)
			if ready.Status != test.status || !strings.Contains(ready.Message, test.says) {
				t.Errorf("Ready is %s: %q, want %s: %q", ready.Status, ready.Message, test.status, test.says)
			}
		})
	}
}

func TestOldKubernetesIsRefused(t *testing.T) {
	for _, test := range []struct {
		version string
		refused bool
	}{
		{"v1.28.15", true}, {"v1.29.0", false}, {"v1.36.3", false}, {"v1.31.2-gke.100", false}, {"v1.27.9+k3s1", true}, {"unknown", false},
	} {
		t.Run(test.version, func(t *testing.T) {
			err := (&Reconciler{Kubernetes: test.version}).checkCluster()
			if isStalled(err) != test.refused {
				t.Errorf("checkCluster = %v", err)
			}
			if test.refused && !strings.Contains(fmt.Sprint(err), "upgrade the cluster") {
				t.Errorf("the error does not say what to do: %v", err)
			}
		})
	}
}
