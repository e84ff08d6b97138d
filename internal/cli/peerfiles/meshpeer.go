package peerfiles

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Own describes a mesh for its peers.
type Own struct {
	// Name is the name by which the peer will know this mesh, and PeerMesh the name of the peer's Mesh.
	Name, PeerMesh string
	TrustDomain    string
	// RootsPEM are the roots of this mesh.
	RootsPEM string
	Gateways []v1alpha1.PeerGatewayAddress
}

// MeshPeer returns the object that the peer applies.
func (o Own) MeshPeer() (*v1alpha1.MeshPeer, error) {
	if problems := validation.IsDNS1123Label(o.Name); len(problems) > 0 {
		return nil, fmt.Errorf("invalid name %q of a peer: %s", o.Name, strings.Join(problems, ", "))
	}
	return &v1alpha1.MeshPeer{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "MeshPeer"},
		ObjectMeta: metav1.ObjectMeta{Name: o.Name},
		Spec: v1alpha1.MeshPeerSpec{
			Mesh: o.PeerMesh, TrustDomain: o.TrustDomain, Trust: v1alpha1.PeerTrust{CABundle: v1alpha1.CABundle(o.RootsPEM)}, Gateways: o.Gateways,
		},
	}, nil
}

// ParseGateway reads "<address>" or "<address>:<port>". An IPv6 address with a port is in brackets.
func ParseGateway(text string) (v1alpha1.PeerGatewayAddress, error) {
	if _, err := netip.ParseAddr(text); err == nil || !strings.Contains(text, ":") {
		return v1alpha1.PeerGatewayAddress{Address: text}, nil
	}
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return v1alpha1.PeerGatewayAddress{}, fmt.Errorf("invalid gateway %q: write ADDRESS or ADDRESS:PORT", text)
	}
	number, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || number == 0 {
		return v1alpha1.PeerGatewayAddress{}, fmt.Errorf("invalid gateway %q: the port must be a number from 1 to 65535", text)
	}
	port := int32(number)
	return v1alpha1.PeerGatewayAddress{Address: host, Port: &port}, nil
}

// GatewaysOf returns the addresses of the Service of a peer gateway: those of its load balancer, or else none. Of several kinds of addresses, a DNS name is
// enough.
func GatewaysOf(service *corev1.Service) []v1alpha1.PeerGatewayAddress {
	var list []v1alpha1.PeerGatewayAddress
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		if ingress.Hostname != "" {
			return []v1alpha1.PeerGatewayAddress{{Address: ingress.Hostname}}
		}
		if ingress.IP != "" {
			list = append(list, v1alpha1.PeerGatewayAddress{Address: ingress.IP})
		}
	}
	return list
}

// NoAddress explains why the addresses of a gateway are not known, and what to do.
func NoAddress(service *corev1.Service) error {
	switch {
	case service == nil:
		return fmt.Errorf("the mesh has no peer gateway: set spec.peerGateway.mode of the Mesh to Managed, or pass its address with --gateway")
	case service.Spec.Type == corev1.ServiceTypeLoadBalancer:
		return fmt.Errorf("the load balancer of the Service %s/%s has no address yet: wait, or pass one with --gateway", service.Namespace, service.Name)
	}
	return fmt.Errorf("the Service %s/%s has the type %s, so only you know at which address peers reach it: pass it with --gateway, for example --gateway 192.0.2.7:%d",
		service.Namespace, service.Name, service.Spec.Type, outsidePort(service))
}

// outsidePort is the port of the peer gateway at the address by which peers reach it.
func outsidePort(service *corev1.Service) int32 {
	if service.Spec.Type == corev1.ServiceTypeNodePort && len(service.Spec.Ports) > 0 {
		return cmp.Or(service.Spec.Ports[0].NodePort, names.PeerGatewayPort)
	}
	return names.PeerGatewayPort
}
