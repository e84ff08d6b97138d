package journeys

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestIngressController admits a real nginx outside the mesh, over HTTP by its address and over HTTPS by its certificate.
func TestIngressController(t *testing.T) {
	t.Parallel()
	inside, outside := meshNamespace(t, "backend"), createNamespace(t, "ingress", outsideMesh)
	server := createWorkloads(t, inside, "server")["server"]
	clients := createWorkloads(t, outside, "browser", "attacker")
	installNginx(t, outside, server)
	browser, plain, encrypted := clients["browser"], fmt.Sprintf("http://nginx.%s/plain/books", outside), fmt.Sprintf("http://nginx.%s/encrypted/books", outside)

	browser.expect(t, plain, "502")
	applyPolicies(t, ingressBackend(inside, "http", fmt.Sprintf("{kind: Service, namespace: %s, name: nginx}", outside)))
	browser.expect(t, plain, "200")
	nginx := &corev1.PodList{}
	lab.Must(t, cluster.Client.List(t.Context(), nginx, client.InNamespace(outside), client.MatchingLabels{lab.AppLabel: "nginx"}))
	clients["attacker"].expect(t, server.url("/books"), "reset", "-H", "X-Forwarded-For: "+nginx.Items[0].Status.PodIP)

	applyPolicies(t, ingressBackend(inside, "https", "{kind: AuthenticatedPrincipal, name: nginx.ingress.cluster.local}"))
	browser.expect(t, encrypted, "200")
	browser.expect(t, plain, "502")
	applyPolicies(t, ingressBackend(inside, "https", "{kind: AuthenticatedPrincipal, name: other.ingress.cluster.local}"))
	browser.expect(t, encrypted, "502")
}

// ingressBackend returns an IngressBackend of the Service server with one source.
func ingressBackend(namespace, protocol, source string) string {
	return fmt.Sprintf(`apiVersion: policy.openservicemesh.io/v1alpha1
kind: IngressBackend
metadata: {name: server, namespace: %s}
spec:
  backends: [{name: server, port: {number: %d, protocol: %s}}]
  sources: [%s]
---
`, namespace, lab.HTTPPort, protocol, source)
}

// nginxConfig forwards /plain over HTTP and /encrypted over HTTPS. It verifies the server's sidecar by the root of the mesh.
const nginxConfig = `
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  proxy_http_version 1.1;
  proxy_ssl_certificate /etc/gateway/tls.crt;
  proxy_ssl_certificate_key /etc/gateway/tls.key;
  proxy_ssl_trusted_certificate /etc/gateway/ca.crt;
  proxy_ssl_verify on;
  proxy_ssl_session_reuse off;
  proxy_ssl_name SERVER.NAMESPACE.cluster.local;
  upstream backend { server SERVER.NAMESPACE.svc.cluster.local:PORT max_fails=0; }
  server {
    listen 8080;
    listen [::]:8080;
    location = /health { return 200; }
    location /plain/ { proxy_pass http://backend/; }
    location /encrypted/ { proxy_pass https://backend/; }
  }
}
`

// installNginx starts nginx with a certificate of the mesh for nginx.ingress.cluster.local, and waits until it is ready.
func installNginx(t *testing.T, namespace string, server workload) {
	t.Helper()
	config := strings.NewReplacer("SERVER", server.name, "NAMESPACE", server.namespace, "PORT", fmt.Sprint(lab.HTTPPort)).Replace(nginxConfig)
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "nginx"}
	pod := &corev1.Pod{ObjectMeta: meta}
	pod.Labels = map[string]string{lab.AppLabel: "nginx"}
	container := cluster.ToolsContainer("nginx", "nginx", 8080, lab.AgentPort)
	container.Image, container.Command, container.Args = "openservicemesh/nginx:"+cluster.Version, []string{"/usr/sbin/nginx", "-e", "stderr", "-g", "daemon off;"}, nil
	container.VolumeMounts = []corev1.VolumeMount{{Name: "config", MountPath: "/etc/nginx"}, {Name: "gateway", MountPath: "/etc/gateway"}, {Name: "tmp", MountPath: "/tmp"}}
	pod.Spec.Containers = []corev1.Container{container}
	pod.Spec.Volumes = []corev1.Volume{
		{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "nginx"}}}},
		{Name: "gateway", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "nginx"}}},
		{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
	service := lab.TestService(namespace, "nginx")
	service.Spec.Ports = service.Spec.Ports[:1]
	service.Spec.Ports[0].Port = 80
	lab.Must(t, cluster.Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"nginx.conf": config}}, gatewayCertificate(t, meta), service, pod))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, namespace))
}

// gatewayCertificate returns a Secret with a certificate by the root of the mesh, as the owner of the root would issue it.
func gatewayCertificate(t *testing.T, meta metav1.ObjectMeta) *corev1.Secret {
	t.Helper()
	root := &corev1.Secret{}
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.CABundleSecret}, root))
	authority := pki.Load(t, root.Data[names.CABundleCert], root.Data[names.CABundleKey])
	chain, key := authority.Issue(t, identity.ServiceAccount{Namespace: "ingress", Name: "nginx"}, "cluster.local")
	return &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{
		corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key, names.CABundleCert: root.Data[names.CABundleCert],
	}}
}
