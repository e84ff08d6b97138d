package initconfig

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
)

func full() Document {
	return Document{
		Version: Version,
		Bootstrap: bootstrap.Config{
			ProxyUUID: "7f7c1f0e", TrustDomain: "cluster.local", Revision: "osm-v0-1-0", XDSHost: "osm-controller", XDSPort: 15128, Metrics: true,
			Probes: []bootstrap.Probe{{Kind: bootstrap.Liveness, Container: "app", Handler: bootstrap.HTTP, ListenPort: 15901, Port: 80, Path: "/", TimeoutSeconds: 1, PeriodSeconds: 10}},
		},
		Redirect: redirect.Config{
			ExcludeInboundPorts: []uint16{22}, ExcludeOutboundPorts: []uint16{6379}, ExcludeInterfaces: []string{"net1"}, ProbePorts: []uint16{15906},
			ExcludeOutboundRanges: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, IncludeOutboundRanges: []netip.Prefix{netip.MustParsePrefix("fd00::/8")}, ToPodIP: true,
			Verify: netip.MustParseAddrPort("10.96.0.5:15128"),
		},
	}
}

// TestArguments_KeepFormat fails if the format changes, because existing pods contain documents of the old format.
func TestArguments_KeepFormat(t *testing.T) {
	const want = `--config={"version":1,` +
		`"bootstrap":{"proxyUUID":"7f7c1f0e","trustDomain":"cluster.local","revision":"osm-v0-1-0","xdsHost":"osm-controller","xdsPort":15128,"metrics":true,` +
		`"probes":[{"kind":"liveness","container":"app","handler":"http","listenPort":15901,"port":80,"path":"/","timeoutSeconds":1,"periodSeconds":10}]},` +
		`"redirect":{"excludeInboundPorts":[22],"excludeOutboundPorts":[6379],"excludeOutboundRanges":["10.0.0.0/8"],"includeOutboundRanges":["fd00::/8"],` +
		`"excludeInterfaces":["net1"],"probePorts":[15906],"toPodIP":true,"verify":"10.96.0.5:15128"}}`
	args, err := Arguments(full())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{want}, args); diff != "" {
		t.Errorf("the arguments of osm-init changed (-want +got):\n%s", diff)
	}
	back, err := Parse(args)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), back, cmpopts.EquateComparable(netip.Prefix{}, netip.AddrPort{})); diff != "" {
		t.Errorf("the document was read differently than written (-want +got):\n%s", diff)
	}
}

// TestArgumentsAreNotExpanded uses a path that resembles a variable of the kubelet.
func TestArgumentsAreNotExpanded(t *testing.T) {
	document := full()
	document.Bootstrap.Probes[0].Path = "/$(POD_IP)/$$"
	args, err := Arguments(document)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(args[0], "$") {
		t.Errorf("the kubelet would expand %s", args[0])
	}
	back, err := Parse(args)
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Bootstrap.Probes[0].Path; got != document.Bootstrap.Probes[0].Path {
		t.Errorf("the path came back as %q, want %q", got, document.Bootstrap.Probes[0].Path)
	}
}

func TestParseRejects(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nothing":       {nil, "has no arguments"},
		"other flag":    {[]string{"--verbose"}, `"--verbose" is not known`},
		"no JSON":       {[]string{"--config=iptables"}, "is not JSON"},
		"no version":    {[]string{"--config={}"}, "has version 0"},
		"newer version": {[]string{`--config={"version":2}`}, "use an init container image of the same release"},
		"unknown field": {[]string{`--config={"version":1,"redirect":{"quic":true}}`}, "may be newer than this osm-init"},
		"bad range":     {[]string{`--config={"version":1,"redirect":{"excludeOutboundRanges":["10.0.0.0"]}}`}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
		})
	}
}
