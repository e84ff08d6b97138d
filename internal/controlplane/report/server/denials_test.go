package server

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/controlplane/denials"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// nothingDenied is a store without denials.
func nothingDenied() *denials.Store { return denials.NewStore(func() time.Time { return moment }) }

// TestDenialsAreServed has a denial at a client to an unknown address, and one at a server.
func TestDenialsAreServed(t *testing.T) {
	denied := nothingDenied()
	thief, web := identity.ServiceAccount{Namespace: "shop", Name: "thief"}, identity.ServiceAccount{Namespace: "shop", Name: "web"}
	outside, pod := netip.MustParseAddrPort("203.0.113.9:443"), netip.MustParseAddrPort("10.0.0.1:8080")
	denied.Record(denials.Reporter{Account: thief, Workload: inventory.Workload{Kind: "Deployment", Name: "thief"}},
		[]denials.Event{{Address: outside, Reason: denials.NoPolicy}, {Address: outside, Reason: denials.NoPolicy}}, true)
	denied.Record(denials.Reporter{Account: web, IPs: []netip.Addr{pod.Addr()}}, []denials.Event{{Address: pod, Client: thief, Reason: denials.NoPolicy}}, false)
	var got report.Denials
	read(t, Handler(store{ready: true}, nil, denied, issuer(""), noPeers{}, (&cluster{}).access(time.Now)), report.DenialsPath, &got)
	want := report.Denials{Since: moment, Denials: []report.Denial{
		{Client: "shop/thief", Server: "shop/web", Address: "10.0.0.1:8080", Side: report.AtServer, Reason: "no policy", Count: 1, Rate: 0.2, Since: moment, Last: moment},
		{
			Client: "shop/thief", ClientWorkload: "deployment/thief", Address: "203.0.113.9:443", Side: report.AtClient, Reason: "no policy",
			Count: 2, AtLeast: true, Rate: 0.4, Since: moment, Last: moment,
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
