package debug

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"reflect"
	"strings"
	"time"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/controlplane/report/server"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// shownCertificate is a workload certificate without its key.
type shownCertificate struct {
	Workload   string    `json:"workload"`
	Subject    string    `json:"subject"`
	Names      []string  `json:"names"`
	Serial     string    `json:"serial"`
	Issuer     string    `json:"issuer"`
	Generation string    `json:"issuerGeneration"`
	NotBefore  time.Time `json:"notBefore"`
	NotAfter   time.Time `json:"notAfter"`
	RenewAt    time.Time `json:"renewAt"`
}

func certificates(s Sources, _ *http.Request) (any, error) {
	list := []shownCertificate{}
	for _, issued := range s.Certificates() {
		block, _ := pem.Decode(issued.ChainPEM)
		if block == nil {
			continue
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		shown := shownCertificate{
			Workload: issued.Workload.String(), Subject: parsed.Subject.String(), Names: parsed.DNSNames, Serial: parsed.SerialNumber.Text(16),
			Issuer: parsed.Issuer.String(), Generation: issued.Generation,
			NotBefore: parsed.NotBefore, NotAfter: parsed.NotAfter, RenewAt: issued.RenewAt.UTC(),
		}
		for _, uri := range parsed.URIs {
			shown.Names = append(shown.Names, uri.String())
		}
		list = append(list, shown)
	}
	return list, nil
}

func streams(s Sources, _ *http.Request) (any, error) { return server.Proxies(s.Store.Proxies()), nil }

func changes(s Sources, _ *http.Request) (any, error) { return server.Changes(s.Store.Traces()), nil }

// policies returns the policies in the catalog, by kind.
func policies(s Sources, r *http.Request) (any, error) {
	var policies []catalog.Kind
	byKind := map[catalog.Kind][]catalog.Entry{}
	for _, source := range kinds.Policies() {
		policies = append(policies, source.Kind)
		byKind[source.Kind] = []catalog.Entry{}
	}
	entries, err := s.Store.Entries(r.Context(), policies...)
	for _, e := range entries {
		byKind[e.Ref().Kind] = append(byKind[e.Ref().Kind], e)
	}
	return byKind, err
}

func namespaces(s Sources, r *http.Request) (any, error) {
	entries, err := s.Store.Entries(r.Context(), catalog.KindNamespace)
	monitored := []string{}
	for _, e := range entries {
		if ns, ok := e.(*catalog.Namespace); ok && ns.Monitored {
			monitored = append(monitored, ns.Name)
		}
	}
	return map[string][]string{"namespaces": monitored}, err
}

func config(s Sources, _ *http.Request) (any, error) {
	mc := s.MeshConfig()
	if mc == nil {
		return nil, problem{http.StatusNotFound, "the mesh has no MeshConfig: every setting has its default"}
	}
	return mc.Spec, nil
}

func featureFlags(s Sources, _ *http.Request) (any, error) {
	mc := s.MeshConfig()
	if mc == nil {
		mc = &configv1alpha2.MeshConfig{}
	}
	return FeatureFlags(mc.Spec.FeatureFlags), nil
}

// FeatureFlags returns the flags by their names in the MeshConfig.
func FeatureFlags(flags configv1alpha2.FeatureFlags) map[string]bool {
	values, all := reflect.ValueOf(flags), map[string]bool{}
	for i := range values.NumField() {
		name, _, _ := strings.Cut(values.Type().Field(i).Tag.Get("json"), ",")
		all[name] = values.Field(i).Bool()
	}
	return all
}
