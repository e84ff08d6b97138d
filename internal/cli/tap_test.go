package cli

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// A client that may call nothing is named, because its refused connections are in no log.
func TestClientsWithoutDestinationsAreNamed(t *testing.T) {
	web := Pod("shop", "web-0", "web", "web", "10.0.0.1")
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, web, Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), Slice(Name("shop", "web"), web),
		Group("shop", "paths", "/a"), Target("t", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, SA("shop", "till")),
	}
	pods := map[tap.Pod]*corev1.Pod{}
	for _, account := range []string{"till", "thief"} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: account}, Spec: corev1.PodSpec{ServiceAccountName: account}}
		pods[tap.Pod{Namespace: "shop", Name: account}] = pod
	}
	if got := withoutDestinations(Apply(entries...).View(), pods); !slices.Equal(got, []identity.ServiceAccount{SA("shop", "thief")}) {
		t.Errorf("the clients are %v, want the one that no policy names", got)
	}
	if got := withoutDestinations(Apply(append(entries, &catalog.Settings{Egress: true})...).View(), pods); len(got) > 0 {
		t.Errorf("with egress the clients are %v, want none", got)
	}
}
