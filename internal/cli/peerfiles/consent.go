package peerfiles

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Export returns the consent to export a Service to a peer, or to names.AnyPeer.
func Export(service, peer string) (*unstructured.Unstructured, error) {
	if peer != names.AnyPeer {
		if err := checkPeer(peer); err != nil {
			return nil, err
		}
	}
	return consent(kinds.ServiceExport, service, peer)
}

// Import returns the consent to import a Service from a peer.
func Import(service, peer string) (*unstructured.Unstructured, error) {
	if err := checkPeer(peer); err != nil {
		return nil, err
	}
	object, err := consent(kinds.ServiceImport, service, peer)
	if err != nil {
		return nil, err
	}
	// The API requires both fields. Nobody but the control plane of the mesh reads the object, and it needs neither.
	object.Object["spec"] = map[string]any{"type": "ClusterSetIP", "ports": []any{}}
	return object, nil
}

func checkPeer(peer string) error {
	if problems := validation.IsDNS1123Label(peer); len(problems) > 0 {
		return fmt.Errorf("invalid name %q of a MeshPeer: %s", peer, strings.Join(problems, ", "))
	}
	return nil
}

func consent(kind schema.GroupVersionKind, service, peer string) (*unstructured.Unstructured, error) {
	namespace, name, ok := strings.Cut(service, "/")
	if !ok || len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1035Label(name)) > 0 {
		return nil, fmt.Errorf("invalid Service %q: write NAMESPACE/NAME", service)
	}
	object := kinds.Object(kind)
	object.SetNamespace(namespace)
	object.SetName(name)
	object.SetLabels(map[string]string{names.PeerLabel: peer})
	return object, nil
}

// protocols are the appProtocols of ports of an imported Service, as sidecars read them.
var protocols = map[string]string{"http": "http", "grpc": "grpc", "tcp": "tcp", "tcp-server-first": "tcp-server-first"}

// Service returns the Service by which workloads call the one of a peer. It selects no pods. ports are "<number>" or "<number>/<protocol>", where the protocol
// is http, grpc, tcp or tcp-server-first. Default: http.
func Service(service string, ports []string) (*corev1.Service, error) {
	namespace, name, _ := strings.Cut(service, "/")
	out := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}
	for _, text := range ports {
		number, protocol, found := strings.Cut(text, "/")
		if !found {
			protocol = "http"
		}
		port, err := strconv.ParseUint(number, 10, 16)
		if err != nil || port == 0 || protocols[protocol] == "" {
			return nil, fmt.Errorf("invalid port %q: write NUMBER or NUMBER/PROTOCOL with the protocol http, grpc, tcp or tcp-server-first", text)
		}
		out.Spec.Ports = append(out.Spec.Ports, corev1.ServicePort{
			Name: fmt.Sprintf("port-%d", port), Port: int32(port), TargetPort: intstr.FromInt32(int32(port)), AppProtocol: ptr.To(protocols[protocol]),
		})
	}
	return out, nil
}
