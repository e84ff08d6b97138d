package ingressgateway

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/gatewaypods"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// dedicatedObjects are those of the Gateways that have pods of their own, by the rules of the control plane.
func dedicatedObjects(inputs component.Inputs, class *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	if service := settings(inputs.Mesh).Service; service != nil && len(service.NodePorts) > 0 {
		return nil, errors.New("spec.ingressGateway.service.nodePorts of the Mesh excludes the deployment PerGateway, because several Services cannot have the same port of nodes: remove nodePorts")
	}
	objects := catalog.New()
	if entry, _ := ingest.GatewayClass(inputs.Mesh.Name)(class); entry != nil {
		objects.Apply([]catalog.Change{catalog.Set(entry)})
	}
	byName := map[entity.Name]*unstructured.Unstructured{}
	for _, object := range inputs.Gateways {
		// The control plane reports a Gateway that cannot be read in its status.
		if entry, _ := ingest.Gateway(object); entry != nil {
			objects.Apply([]catalog.Change{catalog.Set(entry)})
			byName[entry.Name] = object
		}
	}
	var all []*unstructured.Unstructured
	for _, d := range gateway.DedicatedGateways(objects.View()) {
		infrastructure := infrastructure{objects.View().GatewayClass(d.Gateway.Class), byName[d.Gateway.Name]}
		rendered, err := dedicatedGateway(inputs, d, infrastructure)
		if err != nil {
			return nil, err
		}
		all = append(all, rendered...)
	}
	return all, nil
}

// dedicatedGateway are the objects of one Gateway.
func dedicatedGateway(inputs component.Inputs, d gateway.Dedicated, declared infrastructure) ([]*unstructured.Unstructured, error) {
	name := d.Gateway.Name
	pods := gatewaypods.Settings{
		Name: names.DedicatedGateway(name.Namespace, name.Name), ServiceAccount: names.IngressGateway,
		Pods: settings(inputs.Mesh).GatewayPodsSpec, DrainDelay: drainDelay,
		Labels: map[string]string{names.GatewayNamespaceLabel: name.Namespace, names.GatewayNameLabel: names.LabelValue(name.Name)},
	}
	var ports []int32
	for _, port := range slices.Sorted(maps.Keys(d.Ports)) {
		ports = append(ports, int32(port))
		pods.Listeners = append(pods.Listeners, names.GatewayListener(port))
	}
	service := serviceOf(inputs.Mesh, pods, ports)
	service.Labels = merged(declared.metadata("labels"), service.Labels, pods.Labels)
	service.Annotations = merged(declared.metadata("annotations"), service.Annotations)
	return pods.Objects(inputs, service)
}

// infrastructure is what the owner of a Gateway declares for its objects, and the class that permits it.
type infrastructure struct {
	class   *catalog.GatewayClass
	gateway *unstructured.Unstructured
}

// metadata returns the permitted labels or annotations for the Service. No other object has them: the namespace of the mesh has privileges, and labels of
// pods select them for its Services and policies, while tools change Deployments by their metadata.
func (i infrastructure) metadata(field string) map[string]string {
	declared, _, _ := unstructured.NestedStringMap(i.gateway.Object, "spec", "infrastructure", field)
	maps.DeleteFunc(declared, func(key, _ string) bool { return !gateway.MayHaveMetadata(i.class, key) })
	return declared
}

// merged returns the union of maps; later ones take precedence.
func merged(all ...map[string]string) map[string]string {
	union := map[string]string{}
	for _, one := range all {
		maps.Copy(union, one)
	}
	return union
}

// dedicatedHealth is the health of the Gateways that have pods of their own. dedicated is false if the live objects are those of the gateway that all share.
func dedicatedHealth(live []*unstructured.Unstructured) (health component.Health, dedicated bool) {
	var problems []string
	for _, object := range live {
		switch {
		case object.GetKind() == "GatewayClass":
			dedicated = object.GetAnnotations()[names.GatewayDeploymentAnnotation] == names.GatewayDeploymentPerGateway
		case object.GetKind() == "Deployment":
			if health := component.DeploymentHealth([]*unstructured.Unstructured{object}, object.GetName()); !health.Ready {
				labels := object.GetLabels()
				problems = append(problems, "Gateway "+labels[names.GatewayNamespaceLabel]+"/"+labels[names.GatewayNameLabel]+": "+health.Message)
			}
		}
	}
	return component.Health{Ready: len(problems) == 0, Message: strings.Join(problems, "; ")}, dedicated
}
