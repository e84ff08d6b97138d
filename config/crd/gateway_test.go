package crd_test

import (
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// ingress returns a Mesh with an ingress gateway in YAML.
func ingress(text string) string { return mesh("osm", "{ingressGateway: {mode: Managed, "+text+"}}") }

// settings has a value of each field of a gateway but its mode, in YAML.
var gatewaySettings = map[string]string{
	"replicas": "3", "autoscaling": "{maxReplicas: 3}", "nodeSelector": "{a: b}", "tolerations": "[{key: a}]", "affinity": "{}", "priorityClassName": "high",
	"imagePullSecrets": "[{name: a}]", "topologySpreadConstraints": "[{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]", "resources": "{}",
	"service": "{type: NodePort}", "overlay": "{spec: {dnsPolicy: Default}}", "ports": "[80]", "allowedNamespaces": "[shop]",
	"drainDelay": "90s", "image": "mirror/envoy:v0.6.1",
}

// toPeers returns a Mesh with a peer gateway and its Service in YAML.
func toPeers(service string) string {
	return mesh("osm", "{peerGateway: {mode: Managed, service: "+service+"}}")
}

func testGateways(t *testing.T, c client.Client) {
	var cases []creation
	for name, kind := range map[string]reflect.Type{
		"ingressGateway": reflect.TypeFor[v1alpha1.IngressGatewaySpec](), "egressGateway": reflect.TypeFor[v1alpha1.EgressGatewaySpec](),
		"peerGateway": reflect.TypeFor[v1alpha1.PeerGatewaySpec](),
	} {
		for _, field := range fieldNames(kind) {
			value, known := gatewaySettings[field]
			// OLM rejects another rule of an existing object, so the rules do not know later fields.
			isLater := name != "peerGateway" && (field == "drainDelay" || field == "image")
			if field == "mode" || field == "deployment" || isLater || name == "egressGateway" && field == "allowedNamespaces" {
				continue
			}
			if !known {
				t.Errorf("%s.%s has no value in this test", name, field)
			}
			setting := "{" + name + ": {" + field + ": " + value + "}}"
			cases = append(cases,
				creation{setting, mesh("osm", setting), "spec." + name + " has no effect: set mode to Managed, or remove its other fields"},
				creation{setting + " managed", mesh("osm", strings.Replace(setting, name+": {", name+": {mode: Managed, ", 1)), ""},
			)
		}
	}
	checkCreations(t, c, append(cases, []creation{
		{"replicas and autoscaling", ingress("replicas: 2, autoscaling: {maxReplicas: 3}"), "replicas and autoscaling exclude each other"},
		{"autoscaling without a CPU request", ingress("autoscaling: {maxReplicas: 3}, resources: {limits: {memory: 1Gi}}"), "set resources.requests.cpu, or remove resources"},
		{"a peer gateway", mesh("osm", "{peerGateway: {mode: Managed}}"), ""},
		{"a load balancer for peers without their addresses", toPeers("{type: LoadBalancer}"), "a load balancer can be reached by anybody: set spec.peerGateway.service.loadBalancerSourceRanges"},
		{"a load balancer for no peers", toPeers("{type: LoadBalancer, loadBalancerSourceRanges: []}"), "should have at least 1 items"},
		{"a load balancer for all", toPeers("{type: LoadBalancer, loadBalancerSourceRanges: [Any]}"), ""},
		{"a load balancer for some peers", toPeers("{type: LoadBalancer, loadBalancerClass: a, externalTrafficPolicy: Cluster, nodePort: 30443, labels: {a: b}, annotations: {a: b}, loadBalancerSourceRanges: [192.0.2.0/24, '2001:db8::/32']}"), ""},
		{"a load balancer for all and some", toPeers("{type: LoadBalancer, loadBalancerSourceRanges: [Any, 192.0.2.0/24]}"), "Any admits all, so remove one of them"},
		{"a load balancer for a name", toPeers("{type: LoadBalancer, loadBalancerSourceRanges: [east.example.com]}"), "loadBalancerSourceRanges[0] in body should match"},
		{"addresses of peers inside the cluster", toPeers("{loadBalancerSourceRanges: [Any]}"), "have no effect: set type to LoadBalancer"},
		{"a port of nodes inside the cluster", toPeers("{nodePort: 30443}"), "externalTrafficPolicy and nodePort have no effect with the type ClusterIP"},
		{"a port of nodes for peers", toPeers("{type: NodePort, nodePort: 30443}"), ""},
		{"an unknown type of Service for peers", toPeers("{type: ExternalName}"), `Unsupported value: "ExternalName"`},
		{"an unknown type of Service", ingress("service: {type: ExternalName}"), `Unsupported value: "ExternalName"`},
		{"the class of a load balancer without one", ingress("service: {type: NodePort, loadBalancerClass: a}"), "spec.ingressGateway.service: Invalid value: loadBalancerClass and loadBalancerSourceRanges have no effect"},
		{"source ranges without a load balancer", ingress("service: {type: ClusterIP, loadBalancerSourceRanges: [192.0.2.0/24]}"), "have no effect: set type to LoadBalancer"},
		{"a source range that is no range", ingress("service: {loadBalancerSourceRanges: [example.com]}"), "loadBalancerSourceRanges[0] in body should match"},
		{"a traffic policy inside the cluster", ingress("service: {type: ClusterIP, externalTrafficPolicy: Cluster}"), "externalTrafficPolicy and nodePorts have no effect with the type ClusterIP"},
		{"a port of nodes for a default port", ingress("service: {type: NodePort, nodePorts: [{port: 80, nodePort: 30080}]}"), ""},
		{"a port of nodes for no port", ingress("ports: [80], service: {nodePorts: [{port: 443, nodePort: 30443}]}"), "spec.ingressGateway.service.nodePorts has a port that is not one of spec.ingressGateway.ports"},
		{"a deployment", ingress("deployment: PerGateway, allowedNamespaces: [shop]"), ""},
		{"permitted metadata", ingress("service: {allowedMetadata: [team, example.com/note, example.com/]}"), ""},
		{"permitted metadata of everything", ingress("service: {allowedMetadata: ['*']}"), "allowedMetadata has \"*\", which is no key and no domain: write for example example.com/note, or example.com/"},
		{"permitted metadata of a part of a domain", ingress("service: {allowedMetadata: ['example.com/*']}"), "which is no key and no domain"},
		{"an image", ingress("image: mirror/envoy:v0.6.1"), ""},
		{"a drain delay", ingress("drainDelay: 90s"), ""},
		{"a drain delay that is too long", ingress("drainDelay: 1h"), "drainDelay is 1h: use 1s to 10m"},
		{"no drain delay", ingress("drainDelay: 0s"), "drainDelay is 0s: use 1s to 10m"},
		{"an unknown deployment", ingress("deployment: Own"), `Unsupported value: "Own"`},
		{"two ports of nodes for a port", ingress("service: {nodePorts: [{port: 443, nodePort: 30443}, {port: 443, nodePort: 30444}]}"), "Duplicate value"},
		{"a Service with an invalid annotation", ingress("service: {annotations: {a b: c}}"), "spec.ingressGateway.service.annotations: Invalid value: a key is not that of an annotation: write for example note or example.com/note"},
	}...))
}

// fieldNames returns the names of the fields of an API type in JSON, with those of embedded types.
func fieldNames(of reflect.Type) []string {
	var names []string
	for i := range of.NumField() {
		field := of.Field(i)
		if field.Anonymous {
			names = append(names, fieldNames(field.Type)...)
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// testLabels checks keys and values of labels and annotations, which Kubernetes would reject in the objects of the mesh.
func testLabels(t *testing.T, c client.Client) {
	const ofLabel, ofValue, ofAnnotation = "a key is not that of a label", "in body should match '^([A-Za-z0-9]", "a key is not that of an annotation"
	long := strings.Repeat("a", 63)
	var cases []creation
	for name, test := range map[string]struct{ text, label, annotation string }{
		"plain":                    {"{team: mesh}", "", ""},
		"with a domain":            {"{example.com/team: mesh}", "", ""},
		"with the longest name":    {"{" + long + ": " + long + "}", "", ""},
		"with an empty value":      {"{team: ''}", "", ""},
		"with too long a name":     {"{" + long + "a: b}", ofLabel, ofAnnotation},
		"with a space":             {"{my team: a}", ofLabel, ofAnnotation},
		"with two slashes":         {"{a/b/c: d}", ofLabel, ofAnnotation},
		"with an empty name":       {"{a/: d}", ofLabel, ofAnnotation},
		"with a domain in capital": {"{A.example/b: d}", ofLabel, ofAnnotation},
		"with a space in a value":  {"{team: our mesh}", ofValue, ""},
		"with too long a value":    {"{team: a" + long + "}", "may not be more than 63 bytes", ""},
	} {
		cases = append(cases,
			creation{"labels " + name, controller("{labels: " + test.text + "}"), test.label},
			creation{"annotations " + name, controller("{annotations: " + test.text + "}"), test.annotation},
			creation{"node labels " + name, mesh("osm", "{controlPlane: {nodeSelector: "+test.text+"}}"), test.label},
			creation{"node labels of a gateway " + name, ingress("nodeSelector: " + test.text), test.label},
		)
	}
	checkCreations(t, c, cases)
}
