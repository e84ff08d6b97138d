package bootstrap

import (
	"fmt"
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
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

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
	return &bootstrapv3.Bootstrap{
		Node:             node(c),
		Admin:            &bootstrapv3.Admin{Address: message.SocketAddress(loopback, names.AdminPort)},
		DynamicResources: dynamicResources(),
		ClusterManager:   &bootstrapv3.ClusterManager{LoadStatsConfig: controlPlaneSource(corev3.ApiConfigSource_GRPC)},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Listeners: append([]*listenerv3.Listener{readyListener(c)}, probeListeners...),
			Clusters:  slices.Concat([]*clusterv3.Cluster{xdsCluster(c)}, readyClusters(), probeClusters),
		},
		LayeredRuntime: flags.Layer(),
		StatsConfig:    statsOf(c),
		// Allocates a cluster's statistics on first use. In permissive mode a sidecar has every Service and calls few.
		DeferredStatOptions: DeferredStats(),
	}
}

// node describes the sidecar to the control plane, which uses none of it as proof of identity.
func node(c Config) *corev3.Node {
	return &corev3.Node{
		Id:      fmt.Sprintf("%s.sidecar.%s.%s.%s", c.ProxyUUID, c.ServiceAccount, c.Namespace, c.TrustDomain),
		Cluster: c.ServiceAccount + "." + c.Namespace,
		Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{
			"bootstrap_version": structpb.NewStringValue(Version),
			"revision":          structpb.NewStringValue(c.Revision),
			"ipv4":              structpb.NewBoolValue(c.hasIPv4()),
			"ipv6":              structpb.NewBoolValue(c.hasIPv6()),
			"metrics":           structpb.NewBoolValue(c.Metrics),
		}},
	}
}

// configFile is the path of a file in the configuration directory.
func (c Config) configFile(file string) string { return path.Join(c.Dirs.Config, file) }
