package status

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

func TestMeshOlderThanTheLastWriteIsStale(t *testing.T) {
	mesh := func(version string) *v1alpha1.Mesh {
		return &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: "1", ResourceVersion: version}}
	}
	l := newLatest()
	if l.isStale(Rollout, mesh("7")) {
		t.Error("a Mesh is stale before the first write")
	}
	l.record(Rollout, mesh("7"), "9")
	for version, want := range map[string]bool{"8": true, "9": false, "10": false} {
		if got := l.isStale(Rollout, mesh(version)); got != want {
			t.Errorf("after a write of version 9, version %s is stale: %v, want %v", version, got, want)
		}
	}
	if l.isStale(Mesh, mesh("8")) {
		t.Error("the write of one owner makes the Mesh stale for another one")
	}
}
