package cli

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// Answers consider conditions of the current generation only: of listeners, and of Egresses whose requests get status 503.
func TestAnswersConsiderConditions(t *testing.T) {
	objects, err := manifests.Decode([]byte(`
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: web, namespace: shop, generation: 2}, spec: {}, status: {listeners: [
  {name: down, conditions: [{type: Programmed, status: "False", observedGeneration: 2, reason: Invalid, message: it is down}, {type: ResolvedRefs, status: "False", reason: RefNotPermitted, message: the Secret cannot be read}]},
  {name: old, conditions: [{type: Programmed, status: "False", observedGeneration: 1, reason: Invalid, message: it was down}]},
  {name: up, conditions: [{type: Programmed, status: "True", observedGeneration: 2, reason: Programmed, message: ""}]}]}}
---
{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Egress, metadata: {name: dead, namespace: shop, generation: 1}, status: {conditions: [{type: ResolvedRefs, status: "False", observedGeneration: 1, reason: HostNotResolved, message: "The host a.test of spec.hosts has no address, so requests to it get status 503: correct it."}]}}
---
{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Egress, metadata: {name: unlimited, namespace: shop, generation: 1}, status: {conditions: [{type: ResolvedRefs, status: "False", observedGeneration: 1, reason: RefNotFound, message: "UpstreamTrafficSetting shop/s does not exist, so connections have no limits."}]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, egress := range objects[1:] {
		egress.SetGeneration(1) // decoded numbers are not those of a cluster
	}
	var m explain.Mesh
	addStatus(&m, objects)
	name := func(name string) entity.Name { return entity.Name{Namespace: "shop", Name: name} }
	for listener, want := range map[string]string{"down": "the Secret cannot be read", "old": "", "up": "", "none": ""} {
		if got := m.Unprogrammed(name("web"), listener); got != want {
			t.Errorf("listener %s: %q, want %q", listener, got, want)
		}
	}
	for policy, want := range map[string]string{"dead": "get status 503", "unlimited": "", "none": ""} {
		got := m.Unavailable(entity.Ref{Kind: entity.KindEgress, Name: name(policy)})
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("Egress %s: %q, want %q", policy, got, want)
		}
	}
}
