package values

// refusal is a value, or a group of values, without a counterpart.
type refusal struct {
	prefix string
	// instead says what to do.
	instead string
	// harmless are the values that ask for what is so anyway.
	harmless []string
}

var refusals = []refusal{
	{"osm.image", "images are those of the version in spec.version of the Mesh; to pull them from a mirror, set the RELATED_IMAGE variables of the operator's Deployment", nil},
	{"osm.imagePullSecrets", "a Mesh declares no pull secrets yet: let the nodes authenticate to the registry", nil},
	{"osm.curlImage", "no such image is needed", nil},
	{"osm.osmController.autoScale", "autoscaling is not available yet: set spec.controlPlane.replicas of the Mesh", []string{"false"}},
	{"osm.injector.autoScale", "autoscaling is not available yet: set spec.controlPlane.replicas of the Mesh", []string{"false"}},
	{"osm.injector.resource", "controller and injector have the same resources, spec.controlPlane.resources of the Mesh: set osm.osmController.resource", nil},
	{"osm.osmController.enablePodDisruptionBudget", "a Mesh declares no disruption budget yet", []string{"false"}},
	{"osm.injector.enablePodDisruptionBudget", "a Mesh declares no disruption budget yet", []string{"false"}},
	{"osm.osmController", "a Mesh declares replicas, resources and the log level of its control plane (spec.controlPlane), and nothing else of it yet", nil},
	{"osm.injector", "a Mesh declares replicas, resources and the log level of its control plane (spec.controlPlane), and nothing else of it yet", nil},
	{"osm.osmBootstrap", "there is no osm-bootstrap: the operator does its work", nil},
	{"osm.controlPlaneTolerations", "a Mesh declares no tolerations yet", nil},
	{"osm.preinstall", "there is no job before the installation: use `osm check --pre-install`", nil},
	{"osm.cleanup", "there is no job after the removal: the operator removes everything", nil},
	{"osm.enforceSingleMesh", "use --enforce-single-mesh", nil},
	{"osm.caBundleSecretName", "the Secret is always osm-ca-bundle", []string{"osm-ca-bundle"}},
	{"osm.webhookConfigNamePrefix", "the webhook is always osm-webhook-<mesh>", []string{"osm-webhook"}},
	{"osm.validatorWebhook", "the webhook is always osm-validator-mesh-<mesh>", []string{""}},
	{"osm.enableReconciler", "the operator always repairs what somebody else changes", []string{"true"}},
	{"osm.certificateProvider.kind", "certificates come from the built-in authority (tresor) in this version", []string{"tresor"}},
	{"osm.vault", "certificates come from the built-in authority in this version", nil},
	{"osm.certmanager", "certificates come from the built-in authority in this version", nil},
	{"osm.deployPrometheus", "deploy Prometheus yourself in this version; sidecars offer their metrics after `osm metrics enable`", []string{"false"}},
	{"osm.deployGrafana", "deploy Grafana yourself in this version", []string{"false"}},
	{"osm.deployJaeger", "deploy Jaeger yourself in this version, and set osm.tracing", []string{"false"}},
	{"osm.enableFluentbit", "logs go to the standard output, where every collector finds them", []string{"false"}},
	{"osm.prometheus", "deploy Prometheus yourself in this version", nil},
	{"osm.grafana", "deploy Grafana yourself in this version", nil},
	{"osm.fluentBit", "logs go to the standard output, where every collector finds them", nil},
	{"osm.multicluster", "several clusters in one mesh are not available", []string{"false"}},
	{"osm.featureFlags.enableMulticlusterMode", "several clusters in one mesh are not available", []string{"false"}},
	{"smi.validateTrafficTarget", "that a TrafficTarget is in the namespace of its destination is always checked", []string{"true"}},
	{"contour.enabled", "install Contour yourself", []string{"false"}},
	{"contour", "install Contour yourself", nil},
}
