package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// annotatedGateway is a Gateway whose certificate cert-manager makes, its issuer, and the permission of the control plane to get the certificate.
const annotatedGateway = `apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: self-signed, namespace: %[1]s}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web-root, namespace: %[1]s}
spec:
  isCA: true
  commonName: web root
  secretName: web-root
  privateKey: {algorithm: ECDSA, size: 256}
  issuerRef: {name: self-signed, kind: Issuer}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: web, namespace: %[1]s}
spec: {ca: {secretName: web-root}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: gateway-certificates, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: osm-gateway-certificate-reader}
subjects: [{kind: ServiceAccount, name: osm-controller, namespace: osm-system}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: %[1]s, annotations: {cert-manager.io/issuer: web}}
spec:
  gatewayClassName: osm
  listeners:
  - name: https
    port: 443
    protocol: HTTPS
    hostname: books.example.com
    tls: {certificateRefs: [{name: books-tls}]}
`

// gatewayHTTPS is the port of the gateway's pods for port 443 of its Service.
const gatewayHTTPS = 10443

// cert-manager makes the certificate of an annotated Gateway, and the ingress gateway serves with it, also after its renewal.
func TestCertManagerServesGateways(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, cluster.InstallGatewayAPI(t.Context()))
	setCertManagerArguments(t, `["controller","--enable-gateway-api"]`)
	t.Cleanup(func() { setCertManagerArguments(t, `["controller"]`) })
	setIngressGateway(t, `{"mode":"Managed","service":{"type":"ClusterIP"},"replicas":1}`)
	t.Cleanup(func() { setIngressGateway(t, "null") })
	namespace := "certs-gateway-" + uuid.NewString()[:6]
	lab.Must(t, cluster.CreateNamespace(t.Context(), namespace, names.DefaultMesh))
	t.Cleanup(func() { lab.Must(t, cluster.DeleteNamespace(context.WithoutCancel(t.Context()), namespace)) })
	lab.Must(t, cluster.Apply(t.Context(), fmt.Sprintf(annotatedGateway, namespace)))

	first := awaitServed(t, namespace, "")
	lab.Must(t, cluster.Client.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "books-tls"}}))
	if second := awaitServed(t, namespace, first); second == first {
		t.Errorf("the gateway still presents the certificate %s", first)
	}
}

// awaitServed connects to the gateway until it presents a certificate of the issuer of a namespace with another serial number, and returns that.
func awaitServed(t *testing.T, namespace, earlier string) string {
	t.Helper()
	var serial string
	lab.Eventually(t, podLimit, "the gateway presents a certificate of cert-manager", func(ctx context.Context) (bool, string, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		got, err := servedSerial(ctx, namespace)
		if err != nil {
			return false, err.Error(), nil
		}
		serial = got
		return serial != earlier, "serial number " + serial, nil
	})
	return serial
}

// servedSerial sends a request to the gateway, verifies its certificate with the root of the issuer, and returns its serial number.
func servedSerial(ctx context.Context, namespace string) (string, error) {
	var root corev1.Secret
	if err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "web-root"}, &root); err != nil {
		return "", err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root.Data[corev1.TLSCertKey])
	pod, err := cluster.Pod(ctx, names.DefaultNamespace, names.AppLabel, names.IngressGateway)
	if err != nil {
		return "", err
	}
	address, err := cluster.Forward(ctx, pod.Namespace, pod.Name, gatewayHTTPS)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "books.example.com"}, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/", http.NoBody)
	if err != nil {
		return "", err
	}
	request.Host = "books.example.com"
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	// There is no route, so the gateway itself answers.
	if response.StatusCode != http.StatusNotFound {
		return "", fmt.Errorf("status %d, want 404", response.StatusCode)
	}
	return response.TLS.PeerCertificates[0].SerialNumber.String(), nil
}

func setIngressGateway(t *testing.T, settings string) {
	t.Helper()
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: names.DefaultMesh}}
	lab.Must(t, cluster.Patch(context.WithoutCancel(t.Context()), mesh, `{"spec":{"ingressGateway":`+settings+`}}`))
}

// setCertManagerArguments restarts the controller of cert-manager with other arguments.
func setCertManagerArguments(t *testing.T, arguments string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "cert-manager", Name: "cert-manager"}}
	patch := `[{"op":"replace","path":"/spec/template/spec/containers/0/args","value":` + arguments + `}]`
	lab.Must(t, cluster.Client.Patch(ctx, deployment, client.RawPatch(types.JSONPatchType, []byte(patch))))
	lab.Must(t, cluster.Available(ctx, podLimit, deployment.Namespace))
}
