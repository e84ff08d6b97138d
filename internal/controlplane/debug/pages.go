package debug

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/controlplane/report/server"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
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
	var policies []entity.Kind
	byKind := map[entity.Kind][]catalog.Entry{}
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
	entries, err := s.Store.Entries(r.Context(), entity.KindNamespace)
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

// listed is a sidecar in the list.
type listed struct {
	Namespace      string `json:"namespace"`
	Pod            string `json:"pod"`
	ServiceAccount string `json:"serviceAccount"`
	// UUID is the label osm-proxy-uuid, UID the identifier of the instance. ?uuid= accepts both.
	UUID string            `json:"uuid,omitempty"`
	UID  entity.InstanceID `json:"uid"`
}

// one is a sidecar with its configuration.
type one struct {
	listed
	Proxy report.Proxy `json:"state"`
	// Configuration is the intended configuration by type. It is empty unless requested.
	Configuration map[string][]offer `json:"configuration,omitempty"`
}

// offer is a resource. The content of secrets is omitted.
type offer struct {
	Name    string          `json:"name"`
	Version string          `json:"version"`
	Content json.RawMessage `json:"content,omitempty"`
}

// proxies lists the connected sidecars, or returns one of them.
func proxies(s Sources, r *http.Request) (any, error) {
	pods, err := s.Store.Entries(r.Context(), entity.KindPod)
	if err != nil {
		return nil, err
	}
	uuids := map[entity.InstanceID]string{}
	for _, e := range pods {
		if pod, ok := e.(*inventory.Instance); ok {
			uuids[pod.ID] = pod.Labels[names.ProxyUUIDLabel]
		}
	}
	all := s.Store.Proxies()
	desired := r.URL.Query().Get("uuid")
	if desired == "" {
		list := make([]listed, 0, len(all))
		for _, p := range all {
			list = append(list, listing(p, uuids))
		}
		return list, nil
	}
	i := slices.IndexFunc(all, func(p status.Proxy) bool { return string(p.InstanceID) == desired || uuids[p.InstanceID] == desired })
	if i < 0 {
		return nil, problem{http.StatusNotFound, "no sidecar with this uuid is connected to this replica: see /debug/proxy, and ask the other replicas"}
	}
	shown := one{listed: listing(all[i], uuids), Proxy: server.Proxies(all[i : i+1]).Proxies[0]}
	if r.URL.Query().Get("cfg") == "true" {
		if shown.Configuration, err = configuration(s, all[i].InstanceID); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

func listing(p status.Proxy, uuids map[entity.InstanceID]string) listed {
	return listed{Namespace: p.Pod.Namespace, Pod: p.Pod.Name, ServiceAccount: p.Scope.Identity.Name, UUID: uuids[p.InstanceID], UID: p.InstanceID}
}

// configuration returns the intended configuration of a sidecar, by discovery service.
func configuration(s Sources, id entity.InstanceID) (map[string][]offer, error) {
	offers, err := s.Store.Resources(id)
	if err != nil {
		return nil, err
	}
	byType := map[string][]offer{}
	for _, o := range offers {
		shown := offer{Name: o.Name, Version: o.Version}
		if o.Resource != nil {
			if shown.Content, err = protojson.Marshal(o.Resource); err != nil {
				return nil, err
			}
		}
		byType[o.Type.String()] = append(byType[o.Type.String()], shown)
	}
	return byType, nil
}
