package upgrade

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// Another version waits for the end of a rotation, but a return to a verified version does not, nor does a rotation that cannot proceed hold it up.
func TestVersionChangeWaitsForRotation(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		condition       *metav1.Condition
		active          string
		desiredVerified time.Time
		rejected        string
		want            bool
	}{
		"no rotation":                      {nil, "old", time.Time{}, "", false},
		"a rotation":                       {&metav1.Condition{Status: metav1.ConditionTrue, Reason: "WaitingForTrust"}, "old", time.Time{}, "", true},
		"an authority that is rejected":    {&metav1.Condition{Status: metav1.ConditionTrue, Reason: "AuthorityRejected"}, "old", time.Time{}, "", false},
		"the change has begun":             {&metav1.Condition{Status: metav1.ConditionTrue, Reason: "WaitingForTrust"}, "new", time.Time{}, "", false},
		"a return to a verified version":   {&metav1.Condition{Status: metav1.ConditionTrue, Reason: "WaitingForTrust"}, "old", now, "", false},
		"a version that was rolled back":   {&metav1.Condition{Status: metav1.ConditionTrue, Reason: "WaitingForTrust"}, "old", time.Time{}, "it failed", false},
		"the rotation has ended":           {&metav1.Condition{Status: metav1.ConditionFalse, Reason: "Idle"}, "old", time.Time{}, "", false},
		"the first installation of a mesh": {&metav1.Condition{Status: metav1.ConditionTrue, Reason: "WaitingForTrust"}, "", time.Time{}, "", false},
	} {
		mesh := &v1alpha1.Mesh{}
		if test.condition != nil {
			test.condition.Type = v1alpha1.ConditionRotatingAuthority
			mesh.Status.Conditions = []metav1.Condition{*test.condition}
		}
		p := &pass{mesh: mesh, situation: rollout.Situation{
			Desired: "new", Active: test.active,
			Revisions: []rollout.Revision{{Name: "old", Verified: now}, {Name: "new", Verified: test.desiredVerified, Rejected: test.rejected}},
		}}
		if got := p.isRotating(); got != test.want {
			t.Errorf("%s: the change waits %t, want %t", name, got, test.want)
		}
	}
}
