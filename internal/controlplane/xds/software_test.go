package xds

import (
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// envoyNode returns the node of an Envoy release.
func envoyNode(major, minor, patch uint32) *core.Node {
	return &core.Node{
		UserAgentName: "envoy",
		UserAgentVersionType: &core.Node_UserAgentBuildVersion{UserAgentBuildVersion: &core.BuildVersion{
			Version: &typev3.SemanticVersion{MajorNumber: major, MinorNumber: minor, Patch: patch},
		}},
		Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{"bootstrap_version": structpb.NewStringValue("2")}},
	}
}

// TestUnsupportedEnvoyIsNotServed checks that a proxy with an old Envoy stays connected, is sent nothing, and is reported.
func TestUnsupportedEnvoyIsNotServed(t *testing.T) {
	supported := compatibility.Entry{Minor: "v0.2", Envoys: []string{"1.39", "1.40"}}
	for name, test := range map[string]struct {
		node   *core.Node
		served bool
		want   status.Software
	}{
		"oldest supported release": {envoyNode(1, 39, 3), true, status.Software{Envoy: "1.39.3", Bootstrap: "2"}},
		"newer release":            {envoyNode(1, 41, 0), true, status.Software{Envoy: "1.41.0", Bootstrap: "2"}},
		"unknown release":          {nil, true, status.Software{}},
		"older release": {envoyNode(1, 38, 3), false, status.Software{
			Envoy: "1.38.3", Bootstrap: "2", UnservedReason: supported.UnsupportedReason("1.38.3"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh()
			c := startWith(t, listen(t), controlOptions{compatibility: supported}, m.entries()...)
			c.store.MarkSynced()
			p := c.connectAs(t, c.tokenOf(m.client), fakexds.NewEnvoy(), test.node)
			if test.served {
				p.waitFor(t, fakexds.RouteType, "rds-outbound.80|a/server")
			}
			eventually.True(t, waitLimit, "the software of the sidecar is known", func() bool {
				list := c.store.Proxies()
				return len(list) == 1 && cmp.Equal(list[0].Software, test.want)
			})
			proxy := c.store.Proxies()[0]
			isRejected := func() bool { return testutil.CollectAndCount(c.metrics, "osm_proxy_rejected_count") > 0 }
			if test.served {
				if isRejected() {
					t.Error("a rejection was counted")
				}
				return
			}
			eventually.True(t, waitLimit, "the rejection is counted", isRejected) // after the software is known
			for kind, status := range proxy.Types {
				if status.Sent > 0 {
					t.Errorf("an unserved proxy was sent %s", kind)
				}
			}
			if proxy.IsUpToDate() {
				t.Error("an unserved proxy is up to date")
			}
		})
	}
}
