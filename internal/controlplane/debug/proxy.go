package debug

import (
	"encoding/json"
	"net/http"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/openservicemesh/osm-operator/internal/controlplane/report/server"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// listed is a sidecar in the list.
type listed struct {
	Namespace      string `json:"namespace"`
	Pod            string `json:"pod"`
	ServiceAccount string `json:"serviceAccount"`
	// UUID is the label osm-proxy-uuid, UID the UID of the pod. ?uuid= accepts both.
	UUID string `json:"uuid,omitempty"`
	UID  string `json:"uid"`
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
	pods, err := s.Store.Entries(r.Context(), catalog.KindPod)
	if err != nil {
		return nil, err
	}
	uuids := map[string]string{}
	for _, e := range pods {
		if pod, ok := e.(*catalog.Pod); ok {
			uuids[pod.UID] = pod.Labels[names.ProxyUUIDLabel]
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
	i := slices.IndexFunc(all, func(p status.Proxy) bool { return p.PodUID == desired || uuids[p.PodUID] == desired })
	if i < 0 {
		return nil, problem{http.StatusNotFound, "no sidecar with this uuid is connected to this replica: see /debug/proxy, and ask the other replicas"}
	}
	shown := one{listed: listing(all[i], uuids), Proxy: server.Proxies(all[i : i+1]).Proxies[0]}
	if r.URL.Query().Get("cfg") == "true" {
		if shown.Configuration, err = configuration(s, all[i].PodUID); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

func listing(p status.Proxy, uuids map[string]string) listed {
	return listed{Namespace: p.Pod.Namespace, Pod: p.Pod.Name, ServiceAccount: p.Scope.Identity.Name, UUID: uuids[p.PodUID], UID: p.PodUID}
}

// configuration returns the intended configuration of a sidecar, by discovery service.
func configuration(s Sources, uid string) (map[string][]offer, error) {
	offers, err := s.Store.Resources(uid)
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
