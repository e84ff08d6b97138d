package snapshot

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestLogsOfOneNamespaceCauseFewLayers checks that the Telemetries of a namespace do not multiply the shared destinations without a limit, that those
// beyond it are listed, and that other namespaces keep theirs.
func TestLogsOfOneNamespaceCauseFewLayers(t *testing.T) {
	entries := []catalog.Entry{&catalog.Settings{Permissive: true}}
	var pods []*inventory.Instance
	add := func(namespace string, i int, format string) {
		name := fmt.Sprintf("%s%02d", namespace, i)
		pod := meshtest.Pod(namespace, name, name, name, fmt.Sprintf("10.0.%d.%d", len(format)&255, i+1))
		service := meshtest.Service(namespace, name, name, fmt.Sprintf("172.%d.0.%d", namespace[0], i+1), 80, inventory.ProtocolHTTP)
		pods = append(pods, pod)
		entries = append(entries, &catalog.Namespace{Name: namespace, Monitored: true}, pod, accountOf(pod), service, meshtest.Slice(service.Name, pod),
			&telemetry.Policy{Name: meshtest.Name(namespace, name), Selector: pod.Labels, Text: format})
	}
	const number = maxSharedLogs + 2
	for i := range number {
		add("a", i, fmt.Sprint("format ", i))
	}
	add("b", 0, "another")
	h := newSyncedHarness(entries...)
	layers := func() (special int) {
		for _, d := range h.store.shared.list {
			for key := range d.layers {
				if key.accessLog != "" {
					special++
				}
			}
		}
		return special
	}
	streams := map[string]*Stream{}
	for _, pod := range pods {
		streams[pod.Name.Name] = h.connect(t, pod)
	}
	if got := layers(); got != maxSharedLogs+1 {
		t.Errorf("%d layers have a log of their own, want %d", got, maxSharedLogs+1)
	}
	if got := fmt.Sprint(h.store.LimitedPolicies()); got != "[{{Telemetry a/a08} [a/a08] 0} {{Telemetry a/a09} [a/a09] 0}]" {
		t.Errorf("limited are %s", got)
	}
	h.apply(&telemetry.Policy{Name: meshtest.Name("b", "b00"), Selector: pods[number].Labels, Text: strings.Repeat("a", 4<<20)})
	if got := layers(); got != maxSharedLogs {
		t.Errorf("with a log that is too long, %d layers have a log of their own, want %d", got, maxSharedLogs)
	}
}

// TestEqualExportsShareALayer checks that sidecars with the same exported log share their destinations, and that those with other attributes do not.
func TestEqualExportsShareALayer(t *testing.T) {
	logs := func(attribute string) *telemetry.AccessLog {
		return &telemetry.AccessLog{Text: "x", Export: &telemetry.Export{Service: catalog.ExtensionService{Address: "otel"}, Attributes: map[string]string{"a": attribute}}}
	}
	one, same, other := sharedKeyOf(scope.Class{}, logs("b")), sharedKeyOf(scope.Class{}, logs("b")), sharedKeyOf(scope.Class{}, logs("c"))
	if one != same || one == other {
		t.Errorf("the keys of equal logs are %+v and %+v, and of another one %+v", one, same, other)
	}
}
