package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GrafanaMode is who runs the Grafana that shows the dashboards of a mesh.
// +kubebuilder:validation:Enum=Disabled;Managed;Operator;ConfigMaps
type GrafanaMode string

// The modes.
const (
	// GrafanaDisabled creates no dashboards. It is the default.
	GrafanaDisabled GrafanaMode = "Disabled"
	// GrafanaManaged runs a server in the namespace of the mesh.
	GrafanaManaged GrafanaMode = "Managed"
	// GrafanaOperator creates dashboards for the servers of a grafana-operator.
	GrafanaOperator GrafanaMode = "Operator"
	// GrafanaConfigMaps creates ConfigMaps that the sidecar of Grafana's Helm chart collects.
	GrafanaConfigMaps GrafanaMode = "ConfigMaps"
)

// GrafanaComponent configures where the dashboards of a mesh are.
// +kubebuilder:validation:XValidation:rule="has(self.managed) ? (has(self.mode) && self.mode == 'Managed') : true",message="spec.observability.grafana.managed has no effect: set mode to Managed, or remove it"
// +kubebuilder:validation:XValidation:rule="has(self.instanceSelector) ? (has(self.mode) && self.mode == 'Operator') : true",message="spec.observability.grafana.instanceSelector has no effect: set mode to Operator, or remove it"
type GrafanaComponent struct {
	// mode is Disabled, Managed, Operator or ConfigMaps. Managed runs a server with the dashboards. Operator creates GrafanaDashboards for a
	// grafana-operator. ConfigMaps creates ConfigMaps with the label grafana_dashboard, which the sidecar of Grafana's Helm chart
	// collects. Default: Disabled.
	// +optional
	Mode *GrafanaMode `json:"mode,omitempty"`

	// managed configures the server of mode Managed.
	// +optional
	Managed *ManagedGrafana `json:"managed,omitempty"`

	// instanceSelector selects the Grafanas of mode Operator by labels, in all namespaces. A grafana-operator rejects a change of it: set the
	// mode to Disabled in between. Default: every Grafana.
	// +optional
	InstanceSelector *metav1.LabelSelector `json:"instanceSelector,omitempty"`
}

// ManagedGrafana configures a Grafana server that the operator runs.
type ManagedGrafana struct {
	// image is the image of Grafana. Default: docker.io/grafana/grafana:12.2.0.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image *string `json:"image,omitempty"`

	// resources are the compute resources of the server. Default: requests of 50m CPU and 128Mi memory.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// SchedulingSpec configures where the pod runs.
	SchedulingSpec `json:",inline"`

	// OverlaySpec configures the pod where no field does.
	OverlaySpec `json:",inline"`
}
