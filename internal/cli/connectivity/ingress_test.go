package connectivity

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

func TestVerifyIngress(t *testing.T) {
	gatewayPod := meshtest.Pod("ingress", "nginx-0", "nginx", "nginx", "10.0.0.7")
	gateway := meshtest.Name("ingress", "nginx")
	web := meshtest.Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	policy := func(name string, created int64, gateways ...entity.Name) *ingressbackend.Policy {
		return &ingressbackend.Policy{
			Name: meshtest.Name("shop", name), Created: time.Unix(created, 0), Gateways: gateways,
			Backends: []ingressbackend.Port{{Service: web.Name, TargetPort: 8080}},
		}
	}
	front := policy("front", 2, gateway)
	ask := Ingress{Gateway: gateway, Policy: front.Name, Service: web.Name, Port: 8080, Protocol: "http"}
	on := &catalog.Settings{IngressBackends: true}
	for name, c := range map[string]struct {
		policy *ingressbackend.Policy
		others []catalog.Entry
		change func(*Ingress)
		want   string
	}{
		"everything fits":        {front, []catalog.Entry{on}, func(*Ingress) {}, ""},
		"policies are off":       {front, nil, func(*Ingress) {}, "they have no effect in this mesh"},
		"an invalid policy":      {nil, []catalog.Entry{on}, func(*Ingress) {}, "it admits nobody"},
		"another port":           {front, []catalog.Entry{on}, func(i *Ingress) { i.Port = 80 }, "spec.backends does not list this port"},
		"another protocol":       {front, []catalog.Entry{on}, func(i *Ingress) { i.Protocol = "https" }, "lists the port with the other protocol"},
		"an older policy":        {front, []catalog.Entry{on, policy("older", 1, gateway)}, func(*Ingress) {}, `IngressBackend "shop/older" is older`},
		"another gateway":        {policy("front", 2, meshtest.Name("ingress", "other")), []catalog.Entry{on}, func(*Ingress) {}, "admits neither the Service nor the address 10.0.0.7"},
		"a gateway without pods": {front, []catalog.Entry{on}, func(i *Ingress) { i.Gateway.Name = "none" }, "the Service has no pod that is ready"},
	} {
		t.Run(name, func(t *testing.T) {
			entries := append([]catalog.Entry{&catalog.Namespace{Name: "shop", Monitored: true}, web, gatewayPod, meshtest.Slice(gateway, gatewayPod)}, c.others...)
			if c.policy != nil {
				entries = append(entries, c.policy)
			}
			c.change(&ask)
			defer func() {
				ask = Ingress{Gateway: gateway, Policy: front.Name, Service: web.Name, Port: 8080, Protocol: "http"}
			}()
			var reasons []string
			for _, check := range VerifyIngress(meshtest.Apply(entries...).View(), c.policy, ask) {
				if check.Severity != diagnosis.OK {
					reasons = append(reasons, check.Message)
				}
			}
			if got := strings.Join(reasons, "; "); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("the reasons are %q, want %q", got, c.want)
			}
		})
	}
}
