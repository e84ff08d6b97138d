package grafana

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

const (
	// portName is the name of the port of the server.
	portName = "http"
	// dataDir is where the server keeps its database, which has nothing that a restart needs.
	dataDir = "/var/lib/grafana"
	// userID is that of the image.
	userID = 472
)

// selector selects the pod. "osm dashboard" looks for this label, as in OSM.
var selector = map[string]string{"app": Name}

func serviceAccount(inputs component.Inputs) *corev1.ServiceAccount {
	account := component.ServiceAccount(inputs.Mesh, Name)
	account.AutomountServiceAccountToken = ptr.To(false)
	return account
}

func deployment(inputs component.Inputs, mounts []mount) (*appsv1.Deployment, error) {
	managed := ptr.Deref(settings(inputs.Mesh).Managed, v1alpha1.ManagedGrafana{})
	return component.Server{
		Name: Name, Selector: selector, Strategy: component.RollingUpdate(), Scheduling: managed.SchedulingSpec,
		Overlay: managed.OverlaySpec, Pod: corev1.PodSpec{
			ServiceAccountName: Name, AutomountServiceAccountToken: ptr.To(false),
			SecurityContext: component.PodSecurity(userID),
			Containers:      []corev1.Container{container(inputs, mounts)},
			Volumes:         volumes(mounts),
		},
	}.Deployment(inputs.Mesh, lists.Map(mounts, func(m mount) *corev1.ConfigMap { return m.config })...)
}

func container(inputs component.Inputs, mounts []mount) corev1.Container {
	managed := ptr.Deref(settings(inputs.Mesh).Managed, v1alpha1.ManagedGrafana{})
	probe := component.HTTPProbe(corev1.URISchemeHTTP, portName, "/api/health")
	// The first start creates the database.
	delayed := probe.DeepCopy()
	delayed.InitialDelaySeconds = 60
	c := corev1.Container{
		Name: "grafana", Image: inputs.Image(image(), managed.Image), ImagePullPolicy: corev1.PullIfNotPresent,
		Env: []corev1.EnvVar{
			{Name: "GF_PATHS_CONFIG", Value: "/etc/grafana/osm/grafana.ini"},
			{Name: "GF_PATHS_PROVISIONING", Value: provisioning},
			{Name: "GF_PATHS_DATA", Value: dataDir},
			{Name: "GF_PATHS_LOGS", Value: dataDir + "/log"},
			{Name: "GF_PATHS_PLUGINS", Value: dataDir + "/plugins"},
		},
		Ports:          []corev1.ContainerPort{{Name: portName, ContainerPort: Port, Protocol: corev1.ProtocolTCP}},
		Resources:      ptr.Deref(managed.Resources, component.Resources("50m", "128Mi", "")),
		ReadinessProbe: probe, LivenessProbe: delayed,
		SecurityContext: component.ContainerSecurity(),
		VolumeMounts:    []corev1.VolumeMount{{Name: "data", MountPath: dataDir}, {Name: "tmp", MountPath: "/tmp"}},
	}
	for _, m := range mounts {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: m.config.Name, MountPath: m.path, ReadOnly: true})
	}
	return c
}

func volumes(mounts []mount) []corev1.Volume {
	list := []corev1.Volume{
		{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
	return append(list, lists.Map(mounts, func(m mount) corev1.Volume { return component.ConfigMapVolume(m.config.Name, m.config.Name) })...)
}

// ini has no users and no login: everybody who reaches the server reads its dashboards, and nobody can change them. Grafana calls
// nothing outside the cluster.
const ini = `[server]
http_port = 3000
[auth]
disable_login_form = true
[auth.anonymous]
enabled = true
org_role = Viewer
[auth.basic]
enabled = false
[security]
disable_initial_admin_creation = true
[users]
allow_sign_up = false
[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false
[news]
news_feed_enabled = false
[log]
mode = console
`

// mount is a ConfigMap and the folder of the server that has its files.
type mount struct {
	config *corev1.ConfigMap
	path   string
}

const provisioning = "/etc/grafana/provisioning"

// dashboardDir is the folder with a folder of files for each folder of dashboards.
const dashboardDir = "/var/lib/grafana-dashboards"

// folders are the folders of dashboards with the last part of OSM's name of their ConfigMap.
var folders = []struct {
	folder dashboards.Folder
	name   string
}{{dashboards.DataPlane, "dataplane"}, {dashboards.ControlPlane, "controlplane"}}

// configuration returns the files of the server. The names of ConfigMaps are those of OSM.
func configuration(inputs component.Inputs, pages []Page) ([]mount, error) {
	sources, err := yaml.Marshal(datasources(inputs))
	if err != nil {
		return nil, fmt.Errorf("the data sources of Grafana cannot be written: %w", err)
	}
	providers, err := yaml.Marshal(dashboardProviders())
	if err != nil {
		return nil, fmt.Errorf("the dashboard providers of Grafana cannot be written: %w", err)
	}
	mounts := []mount{
		{configMap(inputs, "config", map[string]string{"grafana.ini": ini}), "/etc/grafana/osm"},
		{configMap(inputs, "datasources", map[string]string{"prometheus.yaml": string(sources)}), provisioning + "/datasources"},
		{configMap(inputs, "dashboards", map[string]string{"dashboards.yaml": string(providers)}), provisioning + "/dashboards"},
	}
	for _, f := range folders {
		data := map[string]string{}
		for _, page := range pages {
			if page.Folder == f.folder {
				data[page.File+".json"] = page.JSON
			}
		}
		mounts = append(mounts, mount{configMap(inputs, "dashboard-definition-"+f.name, data), dashboardDir + "/" + f.name})
	}
	return mounts, nil
}

func configMap(inputs component.Inputs, name string, data map[string]string) *corev1.ConfigMap {
	return component.ConfigMap(inputs.Mesh, Name+"-"+name, data)
}

// datasources is the Prometheus of the mesh, as the default data source.
func datasources(inputs component.Inputs) map[string]any {
	source := map[string]any{
		"name": "Prometheus", "uid": "osm-prometheus", "type": "prometheus", "access": "proxy", "isDefault": true, "editable": false,
		"url": prometheus.Address(inputs.Mesh), "jsonData": map[string]any{"timeInterval": "10s", "httpMethod": "POST"},
	}
	if bundle := ptr.Deref(prometheus.Settings(inputs.Mesh).CABundle, ""); bundle != "" {
		source["jsonData"].(map[string]any)["tlsAuthWithCACert"] = true
		source["secureJsonData"] = map[string]any{"tlsCACert": string(bundle)}
	}
	return map[string]any{"apiVersion": 1, "datasources": []any{source}}
}

func dashboardProviders() map[string]any {
	providers := []any{}
	for _, f := range folders {
		providers = append(providers, map[string]any{
			"name": f.name, "folder": string(f.folder), "type": "file", "disableDeletion": true, "allowUiUpdates": false,
			"options": map[string]any{"path": dashboardDir + "/" + f.name},
		})
	}
	return map[string]any{"apiVersion": 1, "providers": providers}
}
