package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/peeroffers"
	"github.com/openservicemesh/osm-operator/internal/cli/plan"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

const (
	imported = `
{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {clusterIP: 10.0.0.2, clusterIPs: [10.0.0.2], ports: [{port: 80, appProtocol: http}]}}
`
	consent = `
{apiVersion: multicluster.x-k8s.io/v1alpha1, kind: ServiceImport, metadata: {name: cart, namespace: shop, labels: {openservicemesh.io/peer: west}}, spec: {type: ClusterSetIP, ports: []}}
`
)

// meshPeer is the MeshPeer west.
func meshPeer(t *testing.T) string {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	text := `{"apiVersion": "operator.openservicemesh.io/v1alpha1", "kind": "MeshPeer", "metadata": {"name": "west"}, "spec": {"mesh": "osm", "trustDomain": "west.example", ` +
		`"gateways": [{"address": "192.0.2.1"}], "trust": {"caBundle": "` + strings.ReplaceAll(string(root.CertPEM()), "\n", "\\n") + `"}}}`
	return text
}

// TestPlanKnowsOffers checks that a plan compares calls to Services of a peer by what it offers, before and after an edit.
func TestPlanKnowsOffers(t *testing.T) {
	peer := meshPeer(t)
	offer := func([]*catalog.Peer) peeroffers.Offers {
		return peeroffers.Offers{Entries: ImportOf("west", Name("shop", "cart"), 80, SA("shop", "cart"), SA("shop", "web"))[1:]}
	}
	unreadable := func(peers []*catalog.Peer) peeroffers.Offers { return peeroffers.Unreadable(peers, "nobody answers") }
	for name, test := range map[string]struct {
		before        string
		offers        func([]*catalog.Peer) peeroffers.Offers
		apply, remove string
		flows         []string
		unavailable   string
	}{
		"imported":       {peer + "\n---" + imported, offer, consent, "", []string{"ServiceImport shop/cart from west"}, ""},
		"no import more": {peer + "\n---" + imported + "---" + consent, offer, "", consent, []string{"ServiceImport shop/cart from west"}, ""},
		"unknown":        {peer + "\n---" + imported, unreadable, consent, "", nil, "What the peer west offers is unknown: nobody answers. Calls to its Services are compared as if it offered nothing."},
		"a new peer":     {imported, offer, peer + "\n---" + consent, "", nil, "What the peer west offers is unknown before it is one."},
		"no imports":     {peer + "\n---" + imported, func([]*catalog.Peer) peeroffers.Offers { panic("nothing is imported") }, "", imported, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			scheme, err := kube.Scheme()
			if err != nil {
				t.Fatal(err)
			}
			s := plan.Subject{Mesh: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", Scheme: scheme, Objects: decode(t, cluster+"---\n"+test.before), Offers: test.offers}
			edit, err := s.Overlay(plan.Request{Apply: decode(t, test.apply), Delete: decode(t, test.remove), Namespace: "shop", Now: time.Unix(1, 0)})
			if err != nil {
				t.Fatal(err)
			}
			p, err := plan.Make(s, edit)
			if err != nil {
				t.Fatal(err)
			}
			var by []string
			for _, flow := range p.Flows {
				by = append(by, flow.By...)
			}
			if !slices.Equal(by, test.flows) {
				t.Errorf("the flows are %+v, want by %q", p.Flows, test.flows)
			}
			if got := strings.Join(p.Unavailable, " "); !strings.Contains(got, test.unavailable) || test.unavailable == "" && got != "" {
				t.Errorf("unavailable is %q, want %q", got, test.unavailable)
			}
		})
	}
}
