package crd_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
)

// webhookOf is a webhook configuration, in YAML.
func webhookOf(kind, name, address, selector, rule string) string {
	return fmt.Sprintf("{apiVersion: admissionregistration.k8s.io/v1, kind: %s, metadata: {name: %s}, webhooks: [{name: a.example.com, admissionReviewVersions: [v1], sideEffects: None, "+
		"failurePolicy: Ignore, clientConfig: {%s}, namespaceSelector: {%s}, rules: [{%s}]}]}", kind, name, address, selector, rule)
}

// testWebhooksOfTheOperatorAreBounded creates webhooks with permitted names and other contents as the operator. It requires the role and the policies of
// testAccountsOfTheMeshAreBounded.
func testWebhooksOfTheOperatorAreBounded(t *testing.T, server *rest.Config, admin client.Client) {
	const mutating, validating = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"
	const pods, groups = "apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]", "apiGroups: [access.smi-spec.io], apiVersions: [v1alpha3], operations: [CREATE, UPDATE], resources: [traffictargets]"
	const meshPeers = "apiGroups: [operator.openservicemesh.io], apiVersions: [v1alpha1], operations: [CREATE, UPDATE], resources: [meshpeers]"
	create(t, admin, parse(t, "{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: hooked}, spec: {namespace: hooked-system}}"))
	operator := newClientOf(t, server, "system:serviceaccount:osm-operator-system:osm-operator")
	service := func(name, namespace string) string {
		return "service: {name: " + name + ", namespace: " + namespace + ", path: /a, port: 9090}"
	}
	member, own := "matchLabels: {openservicemesh.io/monitored-by: hooked}", "matchLabels: {kubernetes.io/metadata.name: hooked-system}"
	injector, validator := service("osm-injector", "hooked-system"), service("osm-validator", "hooked-system")
	for _, test := range []struct{ text, words string }{
		{webhookOf(mutating, "osm-webhook-hooked", injector, member, pods), ""},
		{webhookOf(mutating, "osm-webhook-hooked", service("osm-injector-0a1b", "hooked-system"), member, pods), ""},
		{webhookOf(validating, "osm-validator-mesh-hooked", validator, member, groups), ""},
		{webhookOf(validating, "osm-validator-mesh-hooked", validator, own, groups), ""},
		{webhookOf(validating, "osm-validator-mesh-hooked", validator, "", meshPeers), ""},

		{webhookOf(mutating, "osm-webhook-hooked", "url: 'https://evil.example.com/x'", member, pods), "and no url"},
		{webhookOf(validating, "osm-validator-mesh-hooked", "url: 'https://evil.example.com/x'", member, groups), "and no url"},
		{webhookOf(mutating, "osm-webhook-hooked", service("other", "hooked-system"), member, pods), "Services osm-injector and osm-validator"},
		{webhookOf(mutating, "osm-webhook-hooked", service("osm-injector", "default"), member, pods), "the webhooks of the Mesh hooked call Services in its namespace only"},
		{webhookOf(validating, "osm-validator-mesh-hooked", service("osm-validator", "default"), member, groups), "call Services in its namespace only"},
		{webhookOf(mutating, "osm-webhook-hooked", injector, member, strings.Replace(pods, "resources: [pods]", "resources: [pods, secrets]", 1)), "about new pods"},
		{webhookOf(mutating, "osm-webhook-hooked", injector, member, strings.Replace(pods, "CREATE", "'*'", 1)), "about new pods"},
		{webhookOf(mutating, "osm-webhook-hooked", injector, member, strings.Replace(pods, "['']", "['*']", 1)), "about new pods"},
		{webhookOf(validating, "osm-validator-mesh-hooked", validator, member, strings.Replace(groups, "[access.smi-spec.io]", "['']", 1)), "about new pods"},
		{webhookOf(mutating, "osm-webhook-hooked", injector, "", pods), "about namespaces of the mesh with their name only"},
		{webhookOf(mutating, "osm-webhook-hooked", injector, own, pods), "about namespaces of the mesh with their name only"},
		{webhookOf(mutating, "osm-webhook-hooked", injector, "matchLabels: {openservicemesh.io/monitored-by: osm}", pods), "about namespaces of the mesh with their name only"},
		{webhookOf(validating, "osm-validator-mesh-hooked", validator, "matchLabels: {kubernetes.io/metadata.name: kube-system}", groups), "about namespaces of the mesh with their name only"},
		{webhookOf(validating, "osm-validator-mesh-hooked", validator, "", groups), "about namespaces of the mesh with their name only"},
		{webhookOf(validating, "osm-validator-mesh-hooked", validator, "", strings.Replace(meshPeers, "[meshpeers]", "[meshes]", 1)), "about new pods"},
		{webhookOf(validating, "osm-validator-mesh-hooked", validator, "", strings.Replace(meshPeers, "[operator.", "[apps, operator.", 1)), "about new pods"},
		{webhookOf(mutating, "osm-webhook-hooked", injector, "", meshPeers), "about new pods"},
	} {
		if awaitCreation(t, operator, test.text, test.words); t.Failed() {
			return
		}
	}
	testRestoredWebhooks(t, operator, admin, webhookOf(mutating, "osm-webhook-hooked", injector, member, pods))
	for _, object := range renderedWebhooks(t) {
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		awaitCreation(t, operator, string(text), "")
	}
	// Users are not affected.
	awaitCreation(t, admin, webhookOf(mutating, "osm-webhook-hooked", "url: 'https://policies.example.com/x'", "", pods), "")
}

// testRestoredWebhooks restores what an Open Service Mesh had under the name of a webhook, which calls another namespace. Without a record of it, the operator
// writes no such thing.
func testRestoredWebhooks(t *testing.T, operator, admin client.Client, text string) {
	t.Helper()
	live := parse(t, text)
	create(t, admin, live)
	restore := func() error {
		after := live.DeepCopy()
		after.Object["webhooks"] = parse(t, strings.ReplaceAll(text, "hooked-system", "osm-system")).Object["webhooks"]
		return operator.Patch(t.Context(), after, client.MergeFrom(live), client.DryRunAll)
	}
	if err := restore(); err == nil || !strings.Contains(err.Error(), "call Services in its namespace only") {
		t.Errorf("without a record: %v", err)
	}
	live.SetAnnotations(map[string]string{takeover.ReplacedAnnotation: "{}"})
	if err := admin.Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	if err := restore(); err != nil {
		t.Errorf("with a record: %v", err)
	}
	if err := admin.Delete(t.Context(), live); err != nil {
		t.Fatal(err)
	}
}

// renderedWebhooks returns the webhooks of each version of the control plane, with a canary.
func renderedWebhooks(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	catalogue, err := operand.NewCatalogue("v9.9.9", operand.Images{Controller: "c", Injector: "i", Init: "n", Sidecar: "s"})
	if err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for _, version := range catalogue.Known() {
		release, err := catalogue.Release(version)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := release.Webhooks(operand.Parameters{
			Mesh: "hooked", Namespace: "hooked-system", OperatorNamespace: "osm-operator-system", Revision: "hooked-1", TrustDomain: "cluster.local", Images: release.Images,
			Controller: operand.Workload{Replicas: 1}, Injector: operand.Workload{Replicas: 1},
			Canary: &operand.CanaryWebhook{Suffix: "-0a1b", Namespaces: []string{"shop"}, Bundle: []byte("b")},
		}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, objects...)
	}
	if len(all) < 4 {
		t.Fatalf("%d webhook configurations are rendered, want two of each version", len(all))
	}
	return all
}
