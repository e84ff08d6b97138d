package xds

import (
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/contract"
	"github.com/openservicemesh/osm-operator/internal/snapshot"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// envoyNode is what an Envoy says of itself.
func envoyNode(major, minor, patch uint32) *core.Node {
	return &core.Node{
		UserAgentName: "envoy",
		UserAgentVersionType: &core.Node_UserAgentBuildVersion{UserAgentBuildVersion: &core.BuildVersion{
			Version: &typev3.SemanticVersion{MajorNumber: major, MinorNumber: minor, Patch: patch},
		}},
		Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{"bootstrap_version": structpb.NewStringValue("2")}},
	}
}

// TestOnlyTriedEnvoysAreServed connects sidecars with Envoys of several ages. One that is too old stays connected, is sent nothing, and
// is seen, with the reason.
func TestOnlyTriedEnvoysAreServed(t *testing.T) {
	promise := contract.Promise{Minor: "v0.2", Envoys: []string{"1.39", "1.40"}}
	for name, test := range map[string]struct {
		node   *core.Node
		served bool
		want   snapshot.Software
	}{
		"the oldest that was tried": {envoyNode(1, 39, 3), true, snapshot.Software{Envoy: "1.39.3", Bootstrap: "2"}},
		"a newer one":               {envoyNode(1, 41, 0), true, snapshot.Software{Envoy: "1.41.0", Bootstrap: "2"}},
		"one that does not say":     {nil, true, snapshot.Software{}},
		"an older one": {envoyNode(1, 38, 3), false, snapshot.Software{
			Envoy: "1.38.3", Bootstrap: "2", Unserved: promise.Refuses("1.38.3"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh()
			c := startWith(t, listen(t), character{promise: promise}, m.entries()...)
			c.store.MarkSynced()
			p := c.connectAs(t, c.tokenOf(m.client), fakexds.NewEnvoy(), test.node)
			if test.served {
				p.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
			}
			waitUntil(t, func() bool {
				list := c.store.Proxies()
				return len(list) == 1 && cmp.Equal(list[0].Software, test.want)
			})
			proxy := c.store.Proxies()[0]
			if refused := testutil.CollectAndCount(c.metrics, "osm_proxy_refused_count") > 0; refused == test.served {
				t.Errorf("a refusal is counted: %t", refused)
			}
			if test.served {
				return
			}
			for kind, status := range proxy.Types {
				if status.Sent > 0 {
					t.Errorf("a sidecar that is not served was sent %s", kind)
				}
			}
			if proxy.UpToDate() {
				t.Error("a sidecar that is not served is up to date")
			}
		})
	}
}
