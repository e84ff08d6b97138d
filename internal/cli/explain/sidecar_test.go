package explain_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// older returns a mesh in which pods of the Deployment old and the pod alone have no sidecar, in a namespace of the mesh and in one outside.
func older(t *testing.T, more ...catalog.Entry) explain.Mesh {
	t.Helper()
	entries := shop(&catalog.Settings{Namespace: "osm-system", IngressBackends: true})
	for _, namespace := range []string{"shop", "out"} {
		pod, alone := Pod(namespace, "old-0", "old", "old", "10.0.1.1"), Pod(namespace, "alone", "alone", "alone", "10.0.1.2")
		pod.Injected, alone.Injected, pod.Workload = false, false, inventory.Workload{Kind: "Deployment", Name: "old"}
		entries = append(entries, pod, alone, &catalog.ServiceAccount{Name: Name(namespace, "old"), UID: "9"},
			Service(namespace, "old", "old", "10.96.1.1", 80, inventory.ProtocolHTTP), Slice(Name(namespace, "old"), pod))
	}
	entries = append(entries, more...)
	m := mesh(Apply(entries...), entries...)
	m.Account = func(_ context.Context, kind, _, name string) (string, bool, error) {
		return name, kind == "deployment" && name == "old", nil
	}
	m.PodAt = func(address netip.Addr) entity.Name {
		return map[string]entity.Name{"10.0.1.1": Name("shop", "old-0"), "10.0.1.2": Name("shop", "alone")}[address.String()]
	}
	return m
}

// TestExplainSaysRestart asks for clients and destinations that are older than the membership of their namespace, by every kind of reference.
func TestExplainSaysRestart(t *testing.T) {
	const restart, again = "do: kubectl -n shop rollout restart deployment/old", "do: delete pod shop/alone and create it again"
	for question, want := range map[string]string{
		"shop/old-0 to shop/web GET /a":      restart,
		"shop/old to shop/web GET /a":        restart,
		"shop/deploy/old to shop/web GET /a": restart,
		"shop/sa/old to shop/web GET /a":     restart,
		"10.0.1.1 to shop/web GET /a":        restart,
		"shop/deploy/old to shop/db":         restart,
		"shop/alone to shop/web GET /a":      again,
		"10.0.1.2 to shop/web":               again,
		"front/sa/till to shop/svc/old":      restart,
		"front/sa/till to shop/deploy/old":   restart,
		"front/sa/till to shop/old-0":        restart,
		"outside to shop/svc/old GET /":      restart,
		"out/deploy/old to shop/web GET /a":  "do: run osm namespace add out --mesh-name osm and restart the pods: kubectl -n out rollout restart deployment/old",
		"out/sa/old to shop/web GET /a":      "do: run osm namespace add out --mesh-name osm and restart the pods: kubectl -n out rollout restart deployment/old",
		"front/sa/till to out/deploy/old":    "do: run osm namespace add out --mesh-name osm and restart the pods: kubectl -n out rollout restart deployment/old",
		"front/sa/till to out/svc/old":       "do: run osm namespace add out --mesh-name osm and restart the pods: kubectl -n out rollout restart deployment/old",
	} {
		var text strings.Builder
		answer := askMesh(t, older(t), question)
		if err := answer.Print(&text); err != nil {
			t.Fatal(err)
		}
		if answer.Allowed || answer.Partly || !strings.Contains(text.String(), want) || strings.Contains(text.String(), "IPRange") {
			t.Errorf("%s: want a denial with %q, and no address as identity:\n%s", question, want, text.String())
		}
	}
}

// TestPolicyOfClientWithoutSidecar has the policy that its identity needs after the restart.
func TestPolicyOfClientWithoutSidecar(t *testing.T) {
	answer := askMesh(t, older(t), "shop/deploy/old to shop/web GET /a")
	if len(answer.Remedy) != 2 || answer.RemedySuffices {
		t.Errorf("the remedy is %v and suffices: %t", answer.Remedy, answer.RemedySuffices)
	}
	target := Target("t", SA("shop", "web"), []catalog.TargetRule{HTTP("paths")}, SA("shop", "old"))
	if answer := askMesh(t, older(t, Group("shop", "paths", "/a"), target), "shop/deploy/old to shop/web GET /a"); answer.Allowed || len(answer.Remedy) != 0 {
		t.Errorf("with the policy, the answer is %+v, want a denial without a remedy", answer)
	}
}

// TestExplainSaysWhyPodsAreNotInjected has the reason instead of a restart that changes nothing.
func TestExplainSaysWhyPodsAreNotInjected(t *testing.T) {
	m := older(t)
	m.NotInjected = func(entity.Name) string { return `the annotation of its namespace is "disabled"` }
	var text strings.Builder
	if err := askMesh(t, m, "shop/deploy/old to shop/web").Print(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), `because the annotation of its namespace is "disabled"`) || strings.Contains(text.String(), "rollout restart") {
		t.Errorf("the answer is\n%s", text.String())
	}
}

// TestRemainingSidecars asks for pods whose namespace left the mesh: the sidecar decides, not the label of the namespace.
func TestRemainingSidecars(t *testing.T) {
	for _, question := range []string{
		"out/guest to shop/web GET /a", "out/sa/guest to shop/web", "out/guest to out/svc/plain GET /", "outside to out/svc/plain GET /", "outside to out/guest",
		"front/sa/till to out/svc/plain", "front/sa/till to out/guest", "out/alone to out/svc/plain GET /",
	} {
		m := older(t, &catalog.ServiceAccount{Name: Name("out", "guest"), UID: "8"}, Service("out", "plain", "guest", "10.96.0.9", 80, inventory.ProtocolHTTP))
		m.Remaining = func(pod *inventory.Instance) bool { return pod.Name == Name("out", "guest") }
		var text strings.Builder
		answer := askMesh(t, m, question)
		if err := answer.Print(&text); err != nil {
			t.Fatal(err)
		}
		if answer.Allowed || !strings.Contains(text.String(), "pod out/guest has a sidecar, but namespace out is not part of mesh osm any more") ||
			!strings.Contains(text.String(), "do: delete pod out/guest and create it again") || strings.Contains(text.String(), "guest, without a sidecar") {
			t.Errorf("%s: the answer is\n%s", question, text.String())
		}
	}
}
