package upgrade

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
)

// The MeshRevision before an upgrade is lost if somebody has deleted it, and no other verified one remains.
func TestLostRevision(t *testing.T) {
	now := metav1.NewTime(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	revision := func(version string, changes ...func(*v1alpha1.MeshRevision)) v1alpha1.MeshRevision {
		r := v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: desired.RevisionName("osm", version)}}
		r.Spec.Role = v1alpha1.RoleStandby
		for _, change := range changes {
			change(&r)
		}
		return r
	}
	from := func(version string) func(*v1alpha1.MeshRevision) {
		return func(r *v1alpha1.MeshRevision) { r.Status.Baseline = &v1alpha1.RevisionBaseline{From: version} }
	}
	before := func(name string) func(*v1alpha1.MeshRevision) {
		return func(r *v1alpha1.MeshRevision) {
			r.Status.Baseline = &v1alpha1.RevisionBaseline{From: "v2", Revision: name, Sidecar: &v1alpha1.RevisionSidecar{Image: "first"}}
		}
	}
	verified := func(r *v1alpha1.MeshRevision) { r.Status.VerificationTime = &now }
	rejected := func(r *v1alpha1.MeshRevision) { r.Status.Rejected = &v1alpha1.RevisionRejection{Reason: "bad"} }
	deleted := func(r *v1alpha1.MeshRevision) { r.DeletionTimestamp = &now }
	restored := func(r *v1alpha1.MeshRevision) { r.Annotations = map[string]string{restoredAnnotation: "v2"} }
	for name, test := range map[string]struct {
		revisions []v1alpha1.MeshRevision
		want      bool
	}{
		"an installation":                         {[]v1alpha1.MeshRevision{revision("v2")}, false},
		"the first pass of an upgrade":            {[]v1alpha1.MeshRevision{revision("v1", verified)}, false},
		"during an upgrade":                       {[]v1alpha1.MeshRevision{revision("v2", from("v1")), revision("v1", verified)}, false},
		"deleted during an upgrade":               {[]v1alpha1.MeshRevision{revision("v2", from("v1"))}, true},
		"deleted after a rollback":                {[]v1alpha1.MeshRevision{revision("v2", from("v1"), rejected)}, true},
		"being deleted":                           {[]v1alpha1.MeshRevision{revision("v2", from("v1")), revision("v1", verified, deleted)}, true},
		"restored, not yet verified":              {[]v1alpha1.MeshRevision{revision("v2", from("v1")), revision("v1", restored)}, true},
		"restored":                                {[]v1alpha1.MeshRevision{revision("v2", from("v1")), revision("v1", restored, verified)}, false},
		"deleted after the upgrade":               {[]v1alpha1.MeshRevision{revision("v2", from("v1"), verified)}, false},
		"another good one remains":                {[]v1alpha1.MeshRevision{revision("v2", from("v1")), revision("v0", verified)}, false},
		"never verified":                          {[]v1alpha1.MeshRevision{revision("v2", from("v1")), revision("v1")}, false},
		"an upgrade from the version itself":      {[]v1alpha1.MeshRevision{revision("v2", from("v2"))}, false},
		"an upgrade from no version":              {[]v1alpha1.MeshRevision{revision("v2", from(""))}, false},
		"the desired one is deleted, not the old": {[]v1alpha1.MeshRevision{revision("v1", verified), revision("v2", from("v1"), deleted)}, false},
	} {
		from, lost := lostRevision(test.revisions, "osm-v2", "osm")
		if lost != test.want || lost && (from.version != "v1" || from.Name != "osm-v1") {
			t.Errorf("%s: revision %+v is lost: %t, want %t", name, from, lost, test.want)
		}
	}
	other := revision("v2", before("osm-v2-0123abcd"))
	if from, lost := lostRevision([]v1alpha1.MeshRevision{other}, "osm-v2", "osm"); !lost || from.Name != "osm-v2-0123abcd" || from.Sidecar.Image != "first" {
		t.Errorf("the revision before one of the same version is lost: %t, %+v, want osm-v2-0123abcd with its image", lost, from)
	}
}
