package prometheus_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/operator/metricsserver/servingcert"
)

// verification is what a server of Prometheus verifies the operator with.
type verification struct{ authorities, serverName string }

func ofManaged(t *testing.T, objects []*unstructured.Unstructured) (v verification) {
	t.Helper()
	var config struct {
		Jobs []struct {
			Name string `json:"job_name"`
			TLS  struct {
				Insecure   bool   `json:"insecure_skip_verify"`
				CAFile     string `json:"ca_file"`
				ServerName string `json:"server_name"`
			} `json:"tls_config"`
		} `json:"scrape_configs"`
	}
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "ConfigMap" })
	files, _, _ := unstructured.NestedStringMap(objects[i].Object, "data")
	if err := yaml.Unmarshal([]byte(files["prometheus.yml"]), &config); err != nil {
		t.Fatal(err)
	}
	for _, job := range config.Jobs {
		if job.Name == "osm-operator" && !job.TLS.Insecure && job.TLS.CAFile == "/etc/prometheus/operator-ca.crt" {
			v = verification{files["operator-ca.crt"], job.TLS.ServerName}
		}
	}
	return v
}

func ofMonitors(t *testing.T, objects []*unstructured.Unstructured) (v verification) {
	t.Helper()
	configs := map[string]map[string]string{}
	for _, object := range objects {
		if object.GetKind() == "ConfigMap" {
			configs[object.GetName()], _, _ = unstructured.NestedStringMap(object.Object, "data")
		}
	}
	for _, object := range objects {
		if object.GetName() != "osm-operator" {
			continue
		}
		var monitor monitoringv1.ServiceMonitor
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &monitor); err != nil {
			t.Fatal(err)
		}
		if settings := monitor.Spec.Endpoints[0].TLSConfig; settings.InsecureSkipVerify == nil && settings.CA.ConfigMap != nil {
			v = verification{configs[settings.CA.ConfigMap.Name][settings.CA.ConfigMap.Key], *settings.ServerName}
		}
	}
	return v
}

// TestOperatorIsVerified connects to a replica of the operator, and to a server with another certificate, with what each server of Prometheus is configured
// to verify.
func TestOperatorIsVerified(t *testing.T) {
	newCertificate := func() *servingcert.Certificate {
		secrets := fake.NewClientset().CoreV1().Secrets("osm-operator-system")
		c := &servingcert.Certificate{Secrets: secrets, Namespace: "osm-operator-system", Now: time.Now, Log: testr.New(t)}
		if err := c.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		return c
	}
	operator, other := newCertificate(), newCertificate()
	authorities, err := operator.Authorities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	inputs := component.Inputs{Mesh: mesh(v1alpha1.PrometheusComponent{}), ControlPlanes: controlPlanes, OperatorAuthorities: authorities}
	for name, test := range map[string]struct {
		component component.Component
		read      func(*testing.T, []*unstructured.Unstructured) verification
	}{
		"managed":  {prometheus.Managed{}, ofManaged},
		"operator": {prometheus.Monitors{}, ofMonitors},
	} {
		objects, err := test.component.Render(inputs)
		if err != nil {
			t.Fatal(err)
		}
		v := test.read(t, objects)
		if err := handshake(t, operator, v); err != nil {
			t.Errorf("%s: the operator is not accepted: %v", name, err)
		}
		if err := handshake(t, other, v); err == nil {
			t.Errorf("%s: a server in the place of the operator is accepted", name)
		}
	}
	inputs.OperatorAuthorities = ""
	objects, err := prometheus.Managed{}.Render(inputs)
	if err != nil {
		t.Fatal(err)
	}
	if v := ofManaged(t, objects); v != (verification{}) {
		t.Error("an operator that serves no metrics is scraped")
	}
}

// TestUnknownOperatorKeepsEarlierObjects checks that the objects of a server are not replaced by those without the operator while its authorities cannot be read.
func TestUnknownOperatorKeepsEarlierObjects(t *testing.T) {
	unknown := errors.New("forbidden")
	inputs := component.Inputs{Mesh: mesh(v1alpha1.PrometheusComponent{}), ControlPlanes: controlPlanes, OperatorAuthoritiesErr: unknown}
	for _, c := range []component.Component{prometheus.Managed{}, prometheus.Monitors{}} {
		if objects, err := c.Render(inputs); !errors.Is(err, unknown) {
			t.Errorf("%s: %d objects, error %v; want %v", c.Name(), len(objects), err, unknown)
		}
	}
}

// handshake connects to a server with a certificate, and returns why a client does not accept it.
func handshake(t *testing.T, certificate *servingcert.Certificate, v verification) error {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(v.authorities))
	serverEnd, clientEnd := net.Pipe()
	defer serverEnd.Close()
	defer clientEnd.Close()
	go func() {
		_ = tls.Server(serverEnd, &tls.Config{GetCertificate: certificate.Get, MinVersion: tls.VersionTLS12}).HandshakeContext(t.Context())
	}()
	return tls.Client(clientEnd, &tls.Config{RootCAs: roots, ServerName: v.serverName, MinVersion: tls.VersionTLS12}).HandshakeContext(t.Context())
}
