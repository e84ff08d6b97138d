package envoytest

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/flags"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// batch is the number of sets that one run of Envoy validates. A run costs about a tenth of a second regardless of its input.
const batch = 200

// Validate fails the test for each named set of resources that a supported minor version of the real Envoy rejects.
func Validate(t testing.TB, sets map[string][]envoy.Resource) {
	t.Helper()
	for _, bin := range Binaries(t) {
		validateWith(t, bin, sets)
	}
}

func validateWith(t testing.TB, bin string, sets map[string][]envoy.Resource) {
	t.Helper()
	for names := range slices.Chunk(slices.Sorted(maps.Keys(sets)), batch) {
		all := new(bootstrapv3.Bootstrap_StaticResources)
		for i, name := range names {
			static, err := Static(sets[name])
			if err != nil {
				t.Errorf("%s is not complete: %v", name, err)
				continue
			}
			join(all, static, fmt.Sprintf("%d/", i))
		}
		if err := validate(t, bin, all); err != nil {
			blame(t, bin, names, sets, err)
		}
	}
}

// blame validates each set of a rejected batch separately.
func blame(t testing.TB, bin string, names []string, sets map[string][]envoy.Resource, together error) {
	t.Helper()
	found := false
	for _, name := range names {
		static, err := Static(sets[name])
		if err != nil {
			continue
		}
		alone := new(bootstrapv3.Bootstrap_StaticResources)
		join(alone, static, "")
		if err := validate(t, bin, alone); err != nil {
			found = true
			t.Errorf("%s rejects %s: %v", bin, name, err)
		}
	}
	if !found {
		t.Errorf("%s rejects the sets %v together, although it accepts each of them: %v", bin, names, together)
	}
}

// join adds a set to a batch. Sets may use the same names and ports, so names get a prefix and every listener its own port.
func join(all, static *bootstrapv3.Bootstrap_StaticResources, prefix string) {
	for _, c := range static.GetClusters() {
		if c.GetName() == envoy.TracingCluster { // tracers refer to it, and one is enough for all sets
			if !slices.ContainsFunc(all.GetClusters(), func(c *clusterv3.Cluster) bool { return c.GetName() == envoy.TracingCluster }) {
				all.Clusters = append(all.Clusters, c)
			}
			continue
		}
		c.Name = prefix + c.GetName()
		all.Clusters = append(all.Clusters, c)
	}
	for _, l := range static.GetListeners() {
		l.Name = prefix + l.GetName()
		for _, a := range addresses(l) {
			a.PortSpecifier = &corev3.SocketAddress_PortValue{PortValue: uint32(len(all.GetListeners()) + 1)}
		}
		distinguish(l)
		all.Listeners = append(all.Listeners, l)
	}
}

func addresses(l *listenerv3.Listener) []*corev3.SocketAddress {
	out := []*corev3.SocketAddress{l.GetAddress().GetSocketAddress()}
	for _, a := range l.GetAdditionalAddresses() {
		out = append(out, a.GetAddress().GetSocketAddress())
	}
	return out
}

// distinguish removes addresses of a listener that became equal when all of them got the same port.
func distinguish(l *listenerv3.Listener) {
	seen := map[string]bool{l.GetAddress().GetSocketAddress().GetAddress(): true}
	l.AdditionalAddresses = slices.DeleteFunc(l.GetAdditionalAddresses(), func(a *listenerv3.AdditionalAddress) bool {
		ip := a.GetAddress().GetSocketAddress().GetAddress()
		duplicate := seen[ip]
		seen[ip] = true
		return duplicate
	})
}

// validate runs Envoy's validation; the error contains its output.
func validate(t testing.TB, bin string, static *bootstrapv3.Bootstrap_StaticResources) error {
	t.Helper()
	static.Clusters = append(static.Clusters, &clusterv3.Cluster{Name: names.Controller, ConnectTimeout: durationpb.New(time.Second)}) // loggers refer to it
	config, err := protojson.Marshal(&bootstrapv3.Bootstrap{
		Node:            &corev3.Node{Id: "test", Cluster: "test"},
		StaticResources: static,
		LayeredRuntime:  flags.Layer(),
	})
	if err != nil {
		t.Fatalf("the configuration cannot be written as JSON: %v", err)
	}
	if bin == binary(t, EarlierVariable) {
		if config, err = withoutUnknown(config); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "envoy.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(bin, "--mode", "validate", "-l", "error", "-c", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// filter inlines the discovered configuration of a filter, or the discovered routes of an HTTP filter.
func (s set) filter(f *listenerv3.Filter) error {
	if f.GetConfigDiscovery() != nil {
		extension, err := find[*corev3.TypedExtensionConfig](s, envoy.ExtensionType, f.GetName())
		if err != nil {
			return err
		}
		f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: extension.GetTypedConfig()}
		return nil
	}
	if !isHCM(f.GetTypedConfig()) {
		return nil
	}
	return rewrite(f.GetTypedConfig(), func(hcm *hcmv3.HttpConnectionManager) error {
		if hcm.GetRds() == nil {
			return nil
		}
		routes, err := find[*routev3.RouteConfiguration](s, envoy.RouteType, hcm.GetRds().GetRouteConfigName())
		if err != nil {
			return err
		}
		hcm.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
		return nil
	})
}

// tls inlines certificates and trust.
func (s set) tls(c *tlsv3.CommonTlsContext) error {
	for _, config := range c.GetTlsCertificateSdsSecretConfigs() {
		cert, err := find[*tlsv3.Secret](s, envoy.SecretType, config.GetName())
		if err != nil {
			return err
		}
		c.TlsCertificates = append(c.TlsCertificates, cert.GetTlsCertificate())
	}
	c.TlsCertificateSdsSecretConfigs = nil
	combined := c.GetCombinedValidationContext()
	config := c.GetValidationContextSdsSecretConfig()
	if combined != nil {
		config = combined.GetValidationContextSdsSecretConfig()
	}
	if config == nil {
		return nil
	}
	trust, err := find[*tlsv3.Secret](s, envoy.SecretType, config.GetName())
	if err != nil {
		return err
	}
	context := &tlsv3.CertificateValidationContext{}
	if combined != nil {
		proto.Merge(context, combined.GetDefaultValidationContext())
	}
	proto.Merge(context, trust.GetValidationContext())
	c.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: context}
	return nil
}
