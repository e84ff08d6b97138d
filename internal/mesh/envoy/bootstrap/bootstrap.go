package bootstrap

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/flags"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Version is the version of the bootstrap's contents, which the sidecar reports to the control plane. It changes with
// every change that requires a restart of running sidecars.
//
// Version 2: a probe port forwards only the kubelet's probe, and a sidecar that rejects its first configuration is not
// ready.
const Version = "2"

// Config is the input of Render. The fields with JSON names come from the injector; osm-init sets the others when the
// pod starts.
type Config struct {
	// ProxyUUID is the value of the pod's osm-proxy-uuid label. The node ID contains it for tools; it is not proof of
	// identity.
	ProxyUUID string `json:"proxyUUID"`
	// TrustDomain is the last part of every identity in the mesh.
	TrustDomain string `json:"trustDomain"`
	// Revision is the MeshRevision whose injector added the sidecar; empty without one.
	Revision string `json:"revision,omitempty"`
	// XDSHost is the DNS name or address of the control plane.
	XDSHost string `json:"xdsHost"`
	// XDSPort is the port of the control plane's xDS server.
	XDSPort uint16 `json:"xdsPort"`
	// Metrics is true when the pod is annotated for scraping.
	Metrics bool `json:"metrics,omitempty"`
	// Statistics is AllStatistics to keep all statistics of Envoy; others keep the essential ones.
	Statistics string `json:"statistics,omitempty"`
	// Gateway is true in a gateway, which has no application. Its ProxyUUID is the UID of the pod.
	Gateway bool `json:"gateway,omitempty"`
	// Probes are the application's health probes and hooks that the sidecar answers.
	Probes []Probe `json:"probes,omitempty"`

	// ServiceAccount and Namespace are those of the pod.
	ServiceAccount string `json:"-"`
	Namespace      string `json:"-"`
	// PodIPs are the addresses of the pod. Listeners bind IPv6 only when one of them is IPv6.
	PodIPs []netip.Addr `json:"-"`
	// Region and Zone are the values of the pod's labels topology.kubernetes.io/region and topology.kubernetes.io/zone. Kubernetes
	// copies them from the node since 1.35. They are empty in earlier clusters, and on nodes without them.
	Region, Zone string `json:"-"`
	// Limits are those of a gateway.
	Limits GatewayLimits `json:"-"`
	// Memory is the memory limit of a sidecar's container in bytes; 0 means that it has none.
	Memory uint64 `json:"-"`
	// Dirs are the sidecar's directories.
	Dirs Dirs `json:"-"`
}

// Dirs are directories in the container of the sidecar.
type Dirs struct {
	// Config holds the rendered files.
	Config string
	// Token holds the projected service account token, in the file names.TokenFile.
	Token string
	// Trust holds the root certificate of the control plane, in the file names.CABundleCert.
	Trust string
}

// DefaultDirs are the directories that the injector mounts.
func DefaultDirs() Dirs {
	return Dirs{Config: names.BootstrapDir, Token: names.TokenDir, Trust: names.TrustDir}
}

// validate rejects what Envoy would reject later with a less clear error, or misinterpret.
func (c Config) validate() error {
	var problems []error
	for _, field := range []struct{ name, value string }{
		{"proxyUUID", c.ProxyUUID},
		{"trustDomain", c.TrustDomain},
		{"xdsHost", c.XDSHost},
		{"service account", c.ServiceAccount},
		{"namespace", c.Namespace},
		{"configuration directory", c.Dirs.Config},
		{"token directory", c.Dirs.Token},
		{"trust directory", c.Dirs.Trust},
	} {
		if field.value == "" {
			problems = append(problems, fmt.Errorf("the %s of the sidecar is not set", field.name))
		}
	}
	if c.XDSPort == 0 {
		problems = append(problems, errors.New("the port of the control plane, xdsPort, is not set"))
	}
	return errors.Join(append(problems, lists.Map(c.Probes, Probe.validate)...)...)
}

// hasIPv6 reports whether the pod has an IPv6 address. A listener on [::] fails in a pod without one.
func (c Config) hasIPv6() bool {
	for _, ip := range c.PodIPs {
		if ip.Is6() && !ip.Is4In6() {
			return true
		}
	}
	return false
}

// hasIPv4 is false only when the pod is known to have no IPv4 address.
func (c Config) hasIPv4() bool {
	for _, ip := range c.PodIPs {
		if ip.Unmap().Is4() {
			return true
		}
	}
	return len(c.PodIPs) == 0
}

// Names of the rendered files.
const (
	// BootstrapFile is Envoy's configuration file.
	BootstrapFile = "bootstrap.yaml"
	// TokenSecretFile contains the path of the token for the control plane.
	TokenSecretFile = "sds-token.yaml"
	// TrustSecretFile contains the path of the control plane's root certificate.
	TrustSecretFile = "sds-trust.yaml"
)

// File is one rendered file of the configuration directory. It contains no secrets.
type File struct {
	Name    string
	Content []byte
}

// Render returns the files that Envoy starts from, in a fixed order.
func Render(c Config) ([]File, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	messages := []struct {
		name    string
		message proto.Message
	}{
		{BootstrapFile, bootstrap(c)},
		{TokenSecretFile, secretFile(tokenSecret(c.Dirs))},
		{TrustSecretFile, secretFile(trustSecret(c.Dirs))},
	}
	files := make([]File, 0, len(messages))
	for _, m := range messages {
		content, err := marshal(m.message)
		if err != nil {
			return nil, fmt.Errorf("marshal %s as YAML: %w", m.name, err)
		}
		files = append(files, File{Name: m.name, Content: content})
	}
	return files, nil
}

// marshal writes a message as YAML with sorted keys. The JSON of protobuf differs between builds on purpose.
func marshal(m proto.Message) ([]byte, error) {
	json, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(json)
}

func bootstrap(c Config) *bootstrapv3.Bootstrap {
	probeListeners, probeClusters := probes(c)
	b := &bootstrapv3.Bootstrap{
		Node:             node(c),
		Admin:            &bootstrapv3.Admin{Address: message.SocketAddress(loopback, names.AdminPort)},
		DynamicResources: dynamicResources(),
		ClusterManager: &bootstrapv3.ClusterManager{
			LoadStatsConfig:    controlPlaneSource(corev3.ApiConfigSource_GRPC),
			UpstreamBindConfig: message.UserTimeout(message.DataTimeout),
		},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Listeners: append([]*listenerv3.Listener{readyListener(c)}, probeListeners...),
			Clusters:  slices.Concat([]*clusterv3.Cluster{xdsCluster(c)}, readyClusters(), probeClusters),
		},
		TypedDnsResolverConfig: dnsResolver(),
		LayeredRuntime:         flags.Layer(),
		StatsConfig:            statsOf(c),
		// Allocates a cluster's statistics on first use. In permissive mode a sidecar has every Service and calls few.
		DeferredStatOptions: DeferredStats(),
		StatsEviction:       statsEviction(),
	}
	if c.Gateway {
		LimitGateway(b, c.Limits)
	} else {
		LimitSidecar(b, c.Memory)
	}
	return b
}

// node describes the sidecar to the control plane, which uses none of it as proof of identity.
func node(c Config) *corev3.Node {
	return &corev3.Node{
		Locality: locality(c),
		Id:       fmt.Sprintf("%s.sidecar.%s.%s.%s", c.ProxyUUID, c.ServiceAccount, c.Namespace, c.TrustDomain),
		Cluster:  c.ServiceAccount + "." + c.Namespace,
		Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{
			"bootstrap_version": structpb.NewStringValue(Version),
			"revision":          structpb.NewStringValue(c.Revision),
			"ipv4":              structpb.NewBoolValue(c.hasIPv4()),
			"ipv6":              structpb.NewBoolValue(c.hasIPv6()),
			"metrics":           structpb.NewBoolValue(c.Metrics),
		}},
	}
}

// locality is where the sidecar runs. Nothing is sent by zone yet. A later field would require a restart of every pod.
func locality(c Config) *corev3.Locality {
	if c.Region == "" && c.Zone == "" {
		return nil
	}
	return &corev3.Locality{Region: c.Region, Zone: c.Zone}
}

// configFile is the path of a file in the configuration directory.
func (c Config) configFile(file string) string { return path.Join(c.Dirs.Config, file) }
