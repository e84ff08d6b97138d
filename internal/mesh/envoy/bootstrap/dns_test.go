package bootstrap

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	caresv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/network/dns_resolver/cares/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/full"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// TestIdleSidecarsRarelyAskForTheControlPlane counts the DNS queries of idle sidecars with the bootstrap of pods: less than one a minute from each.
func TestIdleSidecarsRarelyAskForTheControlPlane(t *testing.T) {
	full.Require(t)
	// By default the kernel permits 128 inotify instances to a user, and a sidecar has four of them.
	const sidecars, minutes = 20, 3
	network := pods.NewNetwork(t)
	host, nameServer, controlPlane, roots := names.ServiceHost(names.Controller, "osm-system"), network.NameServer(t), network.Bare(t), newAuthority(t)
	nameServer.Set(host, controlPlane.IP)
	ads, _ := serveADSAt(t, controlPlane.NS, nstest.Address(controlPlane.IP.String(), names.ADSPort), roots, "ads.cluster.local")
	close(ads.answer)
	var all []*pods.Pod
	for i := range sidecars {
		name, pod := fmt.Sprintf("sidecar-%d", i), network.Bare(t)
		config := with(func(c *Config) { c.XDSHost, c.PodIPs = host, []netip.Addr{pod.IP, pod.IP6} })
		network.StartEnvoy(t, pod, name, resolvingWith(t, nameServer, installedAt(t, filepath.Join(network.Dir, name+".d"), config, roots)))
		all = append(all, pod)
	}
	for _, pod := range all {
		eventually.True(t, timeout, "the sidecar is ready", func() bool { return status(pod.NS, "http://127.0.0.1:15905"+ReadyPath) == 200 })
	}
	first := nameServer.Queries()
	time.Sleep(minutes * time.Minute)
	last := nameServer.Queries()
	asked := last[host] - first[host]
	t.Logf("%d sidecars sent %d queries in %d minutes: %.2f a minute from each", sidecars, asked, minutes, float64(asked)/sidecars/minutes)
	if asked >= sidecars*minutes || asked < sidecars {
		t.Errorf("%d queries for %s, want less than %d, and one from each sidecar", asked, host, sidecars*minutes)
	}
	if len(last) != 1 {
		t.Errorf("other names were queried: %v", last)
	}
}

// installedAt writes the files of a sidecar and returns its bootstrap.
func installedAt(t *testing.T, dir string, config Config, roots *authority) *bootstrapv3.Bootstrap {
	t.Helper()
	config.Dirs = Dirs{Config: filepath.Join(dir, "config"), Token: filepath.Join(dir, "token"), Trust: filepath.Join(dir, "trust")}
	writeFile(t, filepath.Join(config.Dirs.Token, names.TokenFile), []byte("token"))
	writeFile(t, filepath.Join(config.Dirs.Trust, names.CABundleCert), roots.rootPEM)
	files, err := Render(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		writeFile(t, filepath.Join(config.Dirs.Config, file.Name), file.Content)
	}
	return bootstrap(config)
}

// resolvingWith replaces the name servers of the pod, and nothing else of its resolver.
func resolvingWith(t *testing.T, server *pods.NameServer, b *bootstrapv3.Bootstrap) *bootstrapv3.Bootstrap {
	t.Helper()
	var own, other caresv3.CaresDnsResolverConfig
	if err := b.GetTypedDnsResolverConfig().GetTypedConfig().UnmarshalTo(&own); err != nil {
		t.Fatal(err)
	}
	if err := server.ResolverConfig().GetTypedConfig().UnmarshalTo(&other); err != nil {
		t.Fatal(err)
	}
	own.Resolvers = other.GetResolvers()
	b.TypedDnsResolverConfig.TypedConfig = message.Any(&own)
	return b
}
