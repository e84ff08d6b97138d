package observe

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// member is a namespace of the mesh.
func member(name, environment string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{names.MonitoredByLabel: "osm", "env": environment}}}
}

// TestStagesOfNamespaces checks to which stage namespaces belong: the first one that selects them.
func TestStagesOfNamespaces(t *testing.T) {
	c := &Cluster{Client: fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(member("a", "test"), member("b", "tools"), member("c", "live")).Build()}
	is := func(environment string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchLabels: map[string]string{"env": environment}}
	}
	not := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "env", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"live"}}}}
	bad := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "env", Operator: "Near"}}}
	for name, test := range map[string]struct {
		stages []v1alpha1.UpgradeStage
		want   map[string]int
		err    string
	}{
		"none":               {nil, nil, ""},
		"two stages":         {[]v1alpha1.UpgradeStage{{Name: "test", NamespaceSelector: is("test")}, {Name: "internal", NamespaceSelector: not}}, map[string]int{"a": 0, "b": 1}, ""},
		"no selector at all": {[]v1alpha1.UpgradeStage{{Name: "all"}}, map[string]int{"a": 0, "b": 0, "c": 0}, ""},
		"an invalid one": {
			[]v1alpha1.UpgradeStage{{Name: "near", NamespaceSelector: bad}},
			nil,
			`spec.upgrade.dataPlane.stages: the namespaceSelector of near is not a label selector: "Near" is not a valid label selector operator`,
		},
	} {
		mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
		mesh.Spec.Upgrade = &v1alpha1.UpgradeSpec{DataPlane: &v1alpha1.DataPlaneSpec{Stages: test.stages}}
		limits := rollout.Limits{}
		err := c.Stage(t.Context(), mesh, &limits)
		if test.err != "" {
			if !IsStalledError(err) || err.Error() != test.err {
				t.Errorf("%s: the error is %v", name, err)
			}
			continue
		}
		if diff := cmp.Diff(test.want, limits.StageOf); err != nil || diff != "" || len(limits.Stages) != len(test.stages) {
			t.Errorf("%s: %v, %v (-want +got):\n%s", name, err, limits.Stages, diff)
		}
	}
}
