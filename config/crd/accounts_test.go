package crd_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// testAccountsOfTheMeshAreBounded writes as the accounts of the operator and the injector what they need, and what would give their owner the
// rights of others. Their roles permit both.
func testAccountsOfTheMeshAreBounded(t *testing.T, server *rest.Config, admin client.Client) {
	const operatorName, injectorName = "system:serviceaccount:osm-operator-system:osm-operator", "system:serviceaccount:bounded:osm-injector"
	for _, text := range []string{
		"{apiVersion: v1, kind: Namespace, metadata: {name: bounded}}",
		"{apiVersion: v1, kind: Namespace, metadata: {name: bounded-roles}}",
		"{apiVersion: v1, kind: Namespace, metadata: {name: bounded-member, labels: {openservicemesh.io/monitored-by: osm}}}",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: bounded-operator}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: osm-operator}, subjects: [{kind: User, name: '" + operatorName + "'}]}",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: bounded-injector}, rules: [{apiGroups: [''], resources: [configmaps], verbs: [create]}]}",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: bounded-injector}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bounded-injector}, subjects: [{kind: User, name: '" + injectorName + "'}]}",
	} {
		create(t, admin, parse(t, text))
	}
	createOperatorRole(t, admin)
	operator, injector := newClientOf(t, server, operatorName), newClientOf(t, server, injectorName)
	object := func(kind, namespace, name, more string) string {
		version := map[string]string{
			"DaemonSet": "apps/v1", "RoleBinding": "rbac.authorization.k8s.io/v1", "MutatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
			"ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1", "APIService": "apiregistration.k8s.io/v1",
		}[kind]
		if version == "" {
			version = "v1"
		}
		if namespace != "" {
			namespace = ", namespace: " + namespace
		}
		return "{apiVersion: " + version + ", kind: " + kind + ", metadata: {name: " + name + namespace + "}" + more + "}"
	}
	const mesh = "operator.openservicemesh.io/mesh: osm"
	deployment := func(namespace, name, label string) string {
		return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: " + name + ", namespace: " + namespace + ", labels: {" + label + "}}, " +
			"spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}}}"
	}
	reader := ", roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: extension-apiserver-authentication-reader}, subjects: [{kind: ServiceAccount, name: osm-traffic-metrics, namespace: bounded}]"
	pods := ", spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}}"
	pull := func(name, more string) string {
		return "{apiVersion: v1, kind: Pod, metadata: {name: " + name + ", namespace: bounded, labels: {operator.openservicemesh.io/pulls-for: osm}}, spec: {automountServiceAccountToken: false, " +
			"securityContext: {runAsNonRoot: true}, containers: [{name: a, image: a, securityContext: {allowPrivilegeEscalation: false}}], " + more + "}}"
	}
	service := func(group, version string) string {
		return ", spec: {group: " + group + ", version: " + version + ", groupPriorityMinimum: 100, versionPriority: 100, service: {namespace: bounded, name: a}, insecureSkipTLSVerify: true}"
	}
	for _, test := range []struct {
		as          client.Client
		text, words string
	}{
		{operator, object("Secret", "bounded", "osm-ca-root-1", ""), ""},
		{operator, object("Secret", "bounded", names.FirstCABundleSecret, ""), ""},
		{operator, object("Secret", "bounded", names.SecondCABundleSecret, ""), ""},
		{operator, object("Secret", "bounded", "osm-injector-webhook-cert", ", type: kubernetes.io/tls, data: {tls.crt: '', tls.key: ''}"), ""},
		{operator, object("Secret", "bounded", "osm-nginx-client-cert", ", type: kubernetes.io/tls, data: {tls.crt: '', tls.key: ''}"), ""},
		{operator, object("Secret", "bounded", "certificate-of-our-ingress", ", type: kubernetes.io/tls, data: {tls.crt: '', tls.key: ''}"), ""},
		{operator, object("ConfigMap", "bounded-member", "osm-trust-osm", ""), ""},
		{operator, pull("osm-pull-0123456789-0123456789", ""), ""},
		{operator, pull("osm-pull-volumes", "volumes: [{name: a, emptyDir: {}}]"), ""},
		{operator, deployment("bounded", "osm-controller", mesh), ""},
		{operator, deployment("bounded", "osm-injector-v0-6-0", mesh), ""},
		{operator, deployment("bounded", names.DedicatedGateway("shop", "web"), mesh), ""},
		{operator, object("RoleBinding", "kube-system", "osm-traffic-metrics-osm", reader), ""},
		{operator, object("MutatingWebhookConfiguration", "", "osm-webhook-osm", ""), ""},
		{operator, object("ValidatingWebhookConfiguration", "", "osm-validator-mesh-osm", ""), ""},
		{operator, object("APIService", "", "v1alpha1.metrics.smi-spec.io", service("metrics.smi-spec.io", "v1alpha1")), ""},
		{injector, object("ConfigMap", "bounded-member", "osm-trust-osm", ""), ""},

		{operator, "{apiVersion: v1, kind: Secret, metadata: {name: osm-prometheus-token, namespace: kube-system, annotations: {kubernetes.io/service-account.name: default}}, type: kubernetes.io/service-account-token}", "of the types Opaque"},
		{operator, "{apiVersion: v1, kind: Secret, metadata: {name: osm-ca-root-1, namespace: bounded, annotations: {kubernetes.io/service-account.name: default}}, type: kubernetes.io/service-account-token}", "of the types Opaque"},
		{operator, object("Secret", "bounded", "database", ""), "Secrets of a mesh only"},
		{operator, object("Secret", "bounded-member", "osm-operator-metrics", ""), "Secrets of a mesh only"},
		{operator, object("ConfigMap", "kube-system", "aws-auth", ""), "namespaces of Kubernetes"},
		{operator, object("DaemonSet", "bounded", "osm-pull-0123456789", pods), "cannot create resource"},
		{operator, pull("agent", ""), "osm-pull-* only"},
		{operator, object("Pod", "bounded", "osm-pull-1", ", spec: {containers: [{name: a, image: a}]}"), "osm-pull-* only"},
		{operator, strings.Replace(pull("osm-pull-1", ""), "bounded", "kube-system", 1), "namespaces of Kubernetes"},
		{operator, strings.Replace(pull("osm-pull-1", ""), "automountServiceAccountToken: false, ", "", 1), "no account"},
		{operator, pull("osm-pull-1", "serviceAccountName: other"), "no account"},
		{operator, pull("osm-pull-1", "hostNetwork: true"), "no rights on their node"},
		{operator, pull("osm-pull-1", "hostPID: true"), "no rights on their node"},
		{operator, pull("osm-pull-1", "volumes: [{name: a, hostPath: {path: /}}]"), "no rights on their node"},
		{operator, pull("osm-pull-1", "volumes: [{name: a, secret: {secretName: a}}]"), "no Secrets"},
		{operator, strings.Replace(pull("osm-pull-1", ""), "allowPrivilegeEscalation: false", "privileged: true", 1), "no rights on their node"},
		{operator, strings.Replace(pull("osm-pull-1", ""), "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: false, capabilities: {add: [SYS_ADMIN]}", 1), "no rights on their node"},
		{operator, pull("osm-pull-1", "initContainers: [{name: b, image: a}]"), "no rights on their node"},
		{operator, deployment("kube-system", "osm-controller", mesh), "namespaces of Kubernetes"},
		{operator, deployment("bounded-member", "web", mesh), "restarts workloads of applications"},
		{operator, deployment("bounded-member", "osm-controller", "team: a"), "restarts workloads of applications"},
		{operator, object("MutatingWebhookConfiguration", "", "mine", ""), "webhooks of a mesh only"},
		{operator, object("APIService", "", "v1.apps.example.com", service("apps.example.com", "v1")), "v1alpha1.metrics.smi-spec.io only"},
		{injector, object("ConfigMap", "kube-system", "aws-auth", ""), "trust ConfigMap of a mesh only"},
		{injector, object("ConfigMap", "bounded", "osm-trust-osm", ""), "trust ConfigMap of a mesh only"},
		{injector, object("ConfigMap", "bounded-member", "other", ""), "trust ConfigMap of a mesh only"},
	} {
		if awaitCreation(t, test.as, test.text, test.words); t.Failed() {
			return
		}
	}
	create(t, admin, parse(t, object("MutatingWebhookConfiguration", "", "of-others", "")))
	if err := operator.Delete(t.Context(), parse(t, object("MutatingWebhookConfiguration", "", "of-others", ""))); err == nil {
		t.Error("the operator deletes the webhook of others")
	}
	application := parse(t, deployment("bounded-member", "application", mesh))
	create(t, admin, application)
	if err := operator.Delete(t.Context(), application); err == nil {
		t.Error("the operator deletes the Deployment of an application")
	}
	left := parse(t, "{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: aks-osm-webhook-osm, labels: {app.kubernetes.io/name: openservicemesh.io}}}")
	create(t, admin, left)
	if err := operator.Delete(t.Context(), left); err != nil {
		t.Errorf("the operator cannot delete a webhook that Open Service Mesh has left: %v", err)
	}
	for _, name := range []string{"osm-pull-left", "agent"} {
		text := strings.Replace(object("DaemonSet", "bounded", name, pods), "{name: ", "{labels: {operator.openservicemesh.io/pulls-for: osm}, name: ", 1)
		create(t, admin, parse(t, text))
		if err := operator.Delete(t.Context(), parse(t, text)); (err == nil) != (name == "osm-pull-left") {
			t.Errorf("the operator deletes the DaemonSet %s: %v", name, err)
		}
		pod := strings.Replace(pull(name, ""), "{labels: {operator.openservicemesh.io/pulls-for: osm}, ", "{", 1)
		create(t, admin, parse(t, pod))
		if err := operator.Delete(t.Context(), parse(t, pod)); (err == nil) != (name == "osm-pull-left") {
			t.Errorf("the operator deletes the pod %s: %v", name, err)
		}
	}
	for _, name := range secretsOfOperatorRole(t) {
		text := object("Secret", "bounded-roles", name, "")
		if isOfUsers := name == "osm-prometheus-token" || name == "osm-vault-token"; isOfUsers {
			awaitCreation(t, operator, text, "Secrets of a mesh only")
			continue
		}
		awaitCreation(t, operator, text, "")
	}
	// Users are not affected.
	awaitCreation(t, admin, object("Secret", "bounded", "database", ""), "")
	awaitCreation(t, admin, object("ConfigMap", "kube-system", "aws-auth", ""), "")
}

// secretsOfOperatorRole returns the names of the Secrets that the operator may read or change. It creates all of them but those of users.
func secretsOfOperatorRole(t *testing.T) []string {
	t.Helper()
	var role rbacv1.ClusterRole
	if err := yaml.Unmarshal(readOperatorRole(t), &role); err != nil {
		t.Fatalf("the role of the operator: %v", err)
	}
	var list []string
	for _, rule := range role.Rules {
		if slices.Contains(rule.Resources, "secrets") {
			list = append(list, rule.ResourceNames...)
		}
	}
	if len(list) == 0 {
		t.Fatal("the role of the operator names no Secret")
	}
	return list
}

// createOperatorRole creates the ClusterRole of the operator, which several tests bind.
func createOperatorRole(t *testing.T, admin client.Client) {
	t.Helper()
	if err := admin.Create(t.Context(), parse(t, string(readOperatorRole(t)))); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
}

func readOperatorRole(t *testing.T) []byte {
	t.Helper()
	role, err := os.ReadFile("../rbac/role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return role
}
