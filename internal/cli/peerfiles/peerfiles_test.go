package peerfiles

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

func TestParseGateway(t *testing.T) {
	for text, want := range map[string]*v1alpha1.PeerGatewayAddress{
		"gateway.example.com":       {Address: "gateway.example.com"},
		"gateway.example.com:15443": {Address: "gateway.example.com", Port: ptr.To(int32(15443))},
		"192.0.2.7":                 {Address: "192.0.2.7"},
		"2001:db8::1":               {Address: "2001:db8::1"},
		"[2001:db8::1]:443":         {Address: "2001:db8::1", Port: ptr.To(int32(443))},
		"192.0.2.7:0":               nil,
		"192.0.2.7:x":               nil,
		"a:b:c":                     nil,
	} {
		got, err := ParseGateway(text)
		if want == nil {
			if err == nil {
				t.Errorf("%s is read as %+v", text, got)
			}
			continue
		}
		if diff := cmp.Diff(*want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", text, err, diff)
		}
	}
}

func TestGatewaysOf(t *testing.T) {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-peer-gateway"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
	if len(GatewaysOf(service)) != 0 || !strings.Contains(NoAddress(service).Error(), "has no address yet") {
		t.Error("a load balancer without an address has one")
	}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}, {IP: "192.0.2.2"}}
	if got := GatewaysOf(service); len(got) != 2 || got[1].Address != "192.0.2.2" {
		t.Errorf("two addresses are %+v", got)
	}
	service.Status.LoadBalancer.Ingress[1] = corev1.LoadBalancerIngress{Hostname: "lb.example.com"}
	if got := GatewaysOf(service); len(got) != 1 || got[0].Address != "lb.example.com" {
		t.Errorf("with a name, they are %+v", got)
	}
	service.Spec.Type = corev1.ServiceTypeClusterIP
	if text := NoAddress(service).Error(); !strings.Contains(text, "has the type ClusterIP") || !strings.Contains(text, "--gateway") {
		t.Error(text)
	}
	service.Spec.Type, service.Spec.Ports = corev1.ServiceTypeNodePort, []corev1.ServicePort{{Port: 15443, NodePort: 30443}}
	if text := NoAddress(service).Error(); !strings.Contains(text, "192.0.2.7:30443") {
		t.Error(text)
	}
}

// TestConsentsAreReadAsTheyAreMeant reads what is printed as the control plane does.
func TestConsentsAreReadAsTheyAreMeant(t *testing.T) {
	name := entity.Name{Namespace: "shop", Name: "cart"}
	export, err := Export("shop/cart", "Any")
	if err != nil {
		t.Fatal(err)
	}
	if read, problems := ingest.ServiceExport(export); len(problems) > 0 || !cmp.Equal(read, &catalog.ServiceExport{Name: name, Any: true}) {
		t.Errorf("the export is read as %+v, %v", read, problems)
	}
	imported, err := Import("shop/cart", "east")
	if err != nil {
		t.Fatal(err)
	}
	if read, problems := ingest.ServiceImport(imported); len(problems) > 0 || !cmp.Equal(read, &catalog.ServiceImport{Name: name, Peer: "east"}) {
		t.Errorf("the import is read as %+v, %v", read, problems)
	}
	service, err := Service("shop/cart", []string{"80", "50051/grpc", "5432/tcp"})
	if err != nil {
		t.Fatal(err)
	}
	read, problems := ingest.Service(service)
	if len(problems) > 0 || read.HasSelector() {
		t.Fatalf("the Service is read as %+v, %v", read, problems)
	}
	var protocols []inventory.Protocol
	for i, port := range read.Ports {
		// The API server sets an omitted targetPort, which tools that compare objects would report as a difference.
		if target := service.Spec.Ports[i].TargetPort; target.IntVal != service.Spec.Ports[i].Port {
			t.Errorf("port %d has the target %s", port.Number, target.String())
		}
		protocols = append(protocols, port.Protocol)
	}
	if diff := cmp.Diff([]inventory.Protocol{inventory.ProtocolHTTP, inventory.ProtocolTCP, inventory.ProtocolGRPC}, protocols); diff != "" {
		t.Error(diff)
	}
}

func TestInvalidNames(t *testing.T) {
	for _, service := range []string{"cart", "shop/", "/cart", "Shop/cart", "shop/1cart", "shop/a.b"} {
		if _, err := Export(service, "east"); err == nil {
			t.Errorf("the Service %q is accepted", service)
		}
	}
	for _, peer := range []string{"", "East", "a.b", "Any"} {
		if _, err := Import("shop/cart", peer); err == nil {
			t.Errorf("the peer %q is accepted", peer)
		}
	}
	for _, port := range []string{"", "0", "x", "80/udp", "70000"} {
		if _, err := Service("shop/cart", []string{port}); err == nil {
			t.Errorf("the port %q is accepted", port)
		}
	}
	if _, err := (Own{Name: "A.b"}).MeshPeer(); err == nil {
		t.Error("a MeshPeer has an invalid name")
	}
}
