package mesh

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/testing/conditionlint"
)

// noon is the time of all tests.
func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

// generation is that of the Mesh of all tests.
const generation = 3

// withConditions is a Mesh whose parts have reported; each part is "<type> <state>".
func withConditions(parts map[string]conditions.Assessment) *v1alpha1.Mesh {
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", Generation: generation}}
	mesh.Status.DesiredVersion, mesh.Status.ObservedGeneration = "v0.1.0", generation
	editor := conditions.NewEditor(&mesh.Status.Conditions, generation, noon())
	for kind, assessment := range parts {
		editor.Set(kind, assessment)
	}
	return mesh
}

// healthy are the parts of a mesh that is as declared.
func healthy() map[string]conditions.Assessment {
	ready := conditions.Assessment{State: conditions.Ready, Reason: "Fine", Message: "fine"}
	return map[string]conditions.Assessment{
		v1alpha1.ConditionCertificatesReady: ready, v1alpha1.ConditionTrustDistributed: ready, v1alpha1.ConditionControlPlaneReady: ready,
		v1alpha1.ConditionInstalled: ready, v1alpha1.ConditionUpgrading: {State: conditions.Failing, Reason: v1alpha1.ReasonIdle, Message: "idle"},
	}
}

// Every summary that a status can lead to keeps the rules, whatever it was before.
func TestSummaryKeepsTheRules(t *testing.T) {
	states := []conditions.State{conditions.Progressing, conditions.Ready, conditions.Failing}
	kinds := []string{
		v1alpha1.ConditionCertificatesReady, v1alpha1.ConditionTrustDistributed, v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionInstalled,
		v1alpha1.ConditionUpgrading, v1alpha1.ConditionRemoved, v1alpha1.ConditionPlanned, v1alpha1.ConditionPeersReady,
	}
	var earlier []metav1.Condition
	for _, kind := range kinds {
		for _, state := range states {
			for _, reason := range []string{"Because", v1alpha1.ReasonUnknownVersion, v1alpha1.ReasonRolledBack} {
				for mode := range 4 {
					parts := healthy()
					parts[kind] = conditions.Assessment{State: state, Reason: reason, Message: "it says so"}
					mesh := withConditions(parts)
					switch mode {
					case 1:
						mesh.Spec.Paused = ptr.To(true)
					case 2:
						mesh.Spec.Mode = ptr.To(v1alpha1.ModePlan)
					case 3:
						mesh.DeletionTimestamp = &metav1.Time{Time: noon()}
					}
					mesh.Status.Conditions = append(mesh.Status.Conditions, earlier...)
					writeSummary(&mesh.Status, mesh, "osm-system", noon())
					if broken := conditionlint.Lint(generation, generation, mesh.Status.Conditions); len(broken) > 0 {
						t.Errorf("%s %v %s, mode %d: %v", kind, state, reason, mode, broken)
					}
					earlier = nil
					for _, c := range mesh.Status.Conditions {
						if c.Type == v1alpha1.ConditionReady || c.Type == v1alpha1.ConditionReconciling || c.Type == v1alpha1.ConditionStalled {
							earlier = append(earlier, c)
						}
					}
				}
			}
		}
	}
}

func TestSummaryReportsTheWorstPart(t *testing.T) {
	progressing := conditions.Assessment{State: conditions.Progressing, Reason: "Waits", Message: "pods are missing"}
	for name, test := range map[string]struct {
		parts  map[string]conditions.Assessment
		status metav1.ConditionStatus
		want   string
	}{
		"all is well":                       {nil, metav1.ConditionTrue, "version v0.1.0 runs in namespace osm-system"},
		"pods say more than webhooks":       {map[string]conditions.Assessment{v1alpha1.ConditionControlPlaneReady: progressing, v1alpha1.ConditionInstalled: {State: conditions.Progressing, Reason: "Waits", Message: "the webhook waits"}}, metav1.ConditionUnknown, "pods are missing"},
		"webhooks keep it from being ready": {map[string]conditions.Assessment{v1alpha1.ConditionInstalled: {State: conditions.Progressing, Reason: "Waits", Message: "the webhook waits"}}, metav1.ConditionUnknown, "the webhook waits"},
		"failure is worse than waiting":     {map[string]conditions.Assessment{v1alpha1.ConditionControlPlaneReady: progressing, v1alpha1.ConditionInstalled: {State: conditions.Failing, Reason: "Refused", Message: "refused"}}, metav1.ConditionFalse, "refused"},
		"a certificate":                     {map[string]conditions.Assessment{v1alpha1.ConditionCertificatesReady: {State: conditions.Failing, Reason: "Bad", Message: "bad key"}}, metav1.ConditionFalse, "bad key"},
		"what only a user can change":       {map[string]conditions.Assessment{v1alpha1.ConditionControlPlaneReady: {State: conditions.Failing, Reason: "Crash", Message: "crash"}, v1alpha1.ConditionInstalled: {State: conditions.Failing, Reason: v1alpha1.ReasonInvalidSpec, Message: "change it"}}, metav1.ConditionFalse, "change it"},
		"one namespace does not decide":     {map[string]conditions.Assessment{v1alpha1.ConditionTrustDistributed: {State: conditions.Failing, Reason: v1alpha1.ReasonNamespacesRejected, Message: "quota"}}, metav1.ConditionTrue, "version v0.1.0"},
		"an upgrade":                        {map[string]conditions.Assessment{v1alpha1.ConditionUpgrading: {State: conditions.Ready, Reason: v1alpha1.ReasonUpgrading, Message: "on its way"}}, metav1.ConditionUnknown, "on its way"},
		"an upgrade that was rolled back":   {map[string]conditions.Assessment{v1alpha1.ConditionUpgrading: {State: conditions.Failing, Reason: v1alpha1.ReasonRolledBack, Message: "given up"}}, metav1.ConditionFalse, "given up"},
	} {
		t.Run(name, func(t *testing.T) {
			parts := healthy()
			for kind, assessment := range test.parts {
				parts[kind] = assessment
			}
			mesh := withConditions(parts)
			writeSummary(&mesh.Status, mesh, "osm-system", noon())
			ready := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionReady)
			if ready.Status != test.status || !strings.Contains(ready.Message, test.want) {
				t.Errorf("Ready is %s: %q, want %s: %q", ready.Status, ready.Message, test.status, test.want)
			}
		})
	}
}

// All requests from outside fail without pods of the ingress gateway. Jaeger concerns no request.
func TestGatewaysDecideWhetherTheMeshIsReady(t *testing.T) {
	failing := func(name, reason string) []v1alpha1.ComponentStatus {
		return []v1alpha1.ComponentStatus{{Name: name, Reason: reason, Message: "0 of 2 pods are ready"}}
	}
	for name, test := range map[string]struct {
		components []v1alpha1.ComponentStatus
		disabled   bool
		status     metav1.ConditionStatus
		want       string
	}{
		"no pods":             {failing("ingress-gateway", v1alpha1.ReasonApplyFailed), false, metav1.ConditionFalse, "ingress-gateway: 0 of 2 pods are ready"},
		"no kind":             {failing("ingress-gateway", v1alpha1.ReasonKindNotServed), false, metav1.ConditionFalse, "ingress-gateway"},
		"pods start":          {failing("ingress-gateway", v1alpha1.ReasonProgressing), false, metav1.ConditionUnknown, "ingress-gateway: 0 of 2"},
		"not applied yet":     {nil, false, metav1.ConditionUnknown, "ingress-gateway"},
		"pods are ready":      {[]v1alpha1.ComponentStatus{{Name: "ingress-gateway", Ready: true}}, false, metav1.ConditionTrue, "version v0.1.0"},
		"a gateway that ends": {failing("ingress-gateway", v1alpha1.ReasonProgressing), true, metav1.ConditionTrue, "version v0.1.0"},
		"a component aside":   {failing("jaeger", v1alpha1.ReasonApplyFailed), true, metav1.ConditionTrue, "version v0.1.0"},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := withConditions(healthy())
			mesh.Status.Components = test.components
			if !test.disabled {
				mesh.Spec.IngressGateway = &v1alpha1.IngressGatewaySpec{Mode: ptr.To(v1alpha1.IngressGatewayManaged)}
			}
			writeSummary(&mesh.Status, mesh, "osm-system", noon())
			ready := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionReady)
			if ready.Status != test.status || !strings.Contains(ready.Message, test.want) {
				t.Errorf("Ready is %s: %q, want %s: %q", ready.Status, ready.Message, test.status, test.want)
			}
		})
	}
}

// A part that speaks about an earlier generation keeps the mesh from being ready.
func TestSummaryWaitsForEveryPart(t *testing.T) {
	for kind := range healthy() {
		mesh := withConditions(healthy())
		for i := range mesh.Status.Conditions {
			if mesh.Status.Conditions[i].Type == kind {
				mesh.Status.Conditions[i].ObservedGeneration--
			}
		}
		if s, _ := summarise(mesh, "osm-system"); s.State != conditions.Progressing || !strings.Contains(s.Message, kind) {
			t.Errorf("with an old %s the summary is %+v", kind, s)
		}
	}
}
