package translate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/cli/peerfiles"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// multiClusterService is the part of a MultiClusterService that has a counterpart. OSM v1.0 has one cluster in a list named cluster, and protocols of
// applications.
type multiClusterService struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		GlobalIP string          `json:"globalIP"`
		Clusters []remoteCluster `json:"clusters"`
		Cluster  []remoteCluster `json:"cluster"`
		Ports    []remotePort    `json:"ports"`
	} `json:"spec"`
}

type remoteCluster struct {
	Name     string `json:"name"`
	Weight   int    `json:"weight"`
	Priority int    `json:"priority"`
}

type remotePort struct {
	Port     int32  `json:"port"`
	Protocol string `json:"protocol"`
}

// toPeers is a translation to ServiceImports.
type toPeers struct{ translation }

// ToPeers translates MultiClusterServices to ServiceImports, and to Services where there are none. Each cluster becomes a peer of the same name.
func ToPeers(l *load.Loaded, services []*unstructured.Unstructured, o Options) *Result {
	t := toPeers{newTranslation(l, o)}
	for _, object := range services {
		name := entity.Name{Namespace: object.GetNamespace(), Name: object.GetName()}
		if !o.selects(name) {
			continue
		}
		ref := entity.Ref{Kind: entity.Kind(kinds.MultiClusterService.Kind), Name: name}
		var read multiClusterService
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &read); err != nil {
			t.note(ref, Untranslated, "it cannot be read: %v", err)
			continue
		}
		t.translate(ref, &read)
	}
	t.sort()
	return t.Result
}

func (t toPeers) translate(ref entity.Ref, service *multiClusterService) {
	clusters := append(service.Spec.Clusters, service.Spec.Cluster...)
	if len(clusters) == 0 {
		t.note(ref, Idle, "it names no cluster.")
		return
	}
	slices.SortStableFunc(clusters, func(a, b remoteCluster) int { return cmp.Compare(a.Priority, b.Priority) })
	consent, err := peerfiles.Import(ref.Name.String(), clusters[0].Name)
	if err != nil {
		t.note(ref, Untranslated, "%v. The name of its cluster must be that of a MeshPeer.", err)
		return
	}
	var found obstacles
	if len(clusters) > 1 {
		others := lists.Map(clusters[1:], func(c remoteCluster) string { return c.Name })
		found.add(ref, "A Service has one peer, so --best-effort omits the clusters %s.", strings.Join(others, ", "))
	}
	objects := t.localService(ref, service, consent, clusters[0], &found)
	if !found.prevent(t.BestEffort) {
		for _, object := range append(objects, consent) {
			t.Objects = append(t.Objects, Object{object, []entity.Ref{ref}})
		}
	}
	found.report(t.Result, []entity.Ref{ref}, t.BestEffort, into(clusters[0].Name, service))
}

// into describes the result, and what it needs.
func into(peer string, service *multiClusterService) string {
	text := fmt.Sprintf("ServiceImport %s/%s from the peer %s. Apply its MeshPeer, the output of `osm peer show %s` in that cluster: it has the gateways and roots, "+
		"and the peer proves the service accounts of its pods. In that cluster, the Service needs a ServiceExport, and a TrafficTarget for accounts of this mesh.",
		service.Namespace, service.Name, peer, peer)
	if service.Spec.GlobalIP != "" {
		text += " The Service has an address of this cluster instead of " + service.Spec.GlobalIP + "."
	}
	return text
}

// localService returns the Service that workloads call, if there is none. One with pods needs the annotation for failover.
func (t toPeers) localService(
	ref entity.Ref, service *multiClusterService, consent *unstructured.Unstructured, cluster remoteCluster, found *obstacles,
) []*unstructured.Unstructured {
	existing := t.view.AnyService(ref.Name)
	switch {
	case existing != nil && existing.HasSelector():
		consent.SetAnnotations(map[string]string{names.PeerJoinAnnotation: names.PeerFailover})
		if cluster.Priority == 0 {
			found.add(ref, "A weight is no share: with --best-effort, the peer answers while no pod of this cluster is available. For a share, write the annotations %s: %s and %s.",
				names.PeerJoinAnnotation, names.PeerSpread, names.PeerShareAnnotation)
		}
		return nil
	case existing != nil:
		return nil
	}
	out := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: metav1.ObjectMeta{Namespace: ref.Name.Namespace, Name: ref.Name.Name},
	}
	for _, port := range service.Spec.Ports {
		if port.Protocol == string(corev1.ProtocolUDP) || port.Protocol == string(corev1.ProtocolSCTP) {
			found.add(ref, "The mesh has no ports with %s, so --best-effort omits port %d.", port.Protocol, port.Port)
			continue
		}
		out.Spec.Ports = append(out.Spec.Ports, port.servicePort())
	}
	if len(out.Spec.Ports) == 0 {
		found.fail(ref, "It has no port with TCP, and there is no Service %s/%s: create the Service without a selector, and run the command again.", ref.Name.Namespace, ref.Name.Name)
		return nil
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(out)
	if err != nil {
		found.fail(ref, "%v", err)
		return nil
	}
	delete(fields, "status")
	return []*unstructured.Unstructured{{Object: fields}}
}

// servicePort is the port of a Service. TCP is no protocol of an application: without one, a port counts as HTTP, as in OSM.
func (p remotePort) servicePort() corev1.ServicePort {
	port := corev1.ServicePort{Name: fmt.Sprintf("port-%d", p.Port), Port: p.Port, TargetPort: intstr.FromInt32(p.Port)}
	if p.Protocol != "" && p.Protocol != string(corev1.ProtocolTCP) {
		port.AppProtocol = ptr.To(p.Protocol)
	}
	return port
}
