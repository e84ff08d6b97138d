package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// metadataNamespace is the key of the mesh's metadata in Envoy resources. Labels of statistics come from these fields.
const metadataNamespace = "osm"

// Fields of the metadata of clusters and endpoints.
const (
	namespaceField = "namespace"
	serviceField   = "service"
	kindField      = "kind"
	nameField      = "name"
)

// serviceMetadata describes the Service of a cluster.
func serviceMetadata(service catalog.Name) *corev3.Metadata {
	return metadata(map[string]string{namespaceField: service.Namespace, serviceField: service.Name})
}

// workloadMetadata describes the workload of an endpoint; nil if it is unknown.
func workloadMetadata(w catalog.Workload) *corev3.Metadata {
	if w == (catalog.Workload{}) {
		return nil
	}
	return metadata(map[string]string{kindField: w.Kind, nameField: w.Name})
}

func metadata(fields map[string]string) *corev3.Metadata {
	values := make(map[string]*structpb.Value, len(fields))
	for key, value := range fields {
		values[key] = structpb.NewStringValue(value)
	}
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{metadataNamespace: {Fields: values}}}
}
