package values

// unsupportedValue is a chart value, or a group of values, without an equivalent field.
type unsupportedValue struct {
	prefix string
	// instead is the alternative.
	instead string
	// harmless lists values that match the default, so they have no effect.
	harmless []string
}

var unsupportedValues = []unsupportedValue{
	{"osm.image", "images are determined by spec.version of the Mesh; for a mirror, set the RELATED_IMAGE variables of the operator's Deployment", nil},
	{"osm.imagePullSecrets", "pull secrets are not supported: configure registry credentials on the nodes", nil},
	{"osm.curlImage", "this image is not used", nil},
	{"osm.osmController.autoScale", "set spec.controlPlane.controller.autoscaling of the Mesh", []string{"false"}},
	{"osm.injector.autoScale", "set spec.controlPlane.injector.autoscaling of the Mesh", []string{"false"}},
	{"osm.osmController.enablePodDisruptionBudget", "disruption budgets are not configurable", []string{"false"}},
	{"osm.injector.enablePodDisruptionBudget", "disruption budgets are not configurable", []string{"false"}},
	{"osm.osmController", "not supported: see spec.controlPlane of the Mesh for the supported fields", nil},
	{"osm.injector", "not supported: see spec.controlPlane of the Mesh for the supported fields", nil},
	{"osm.osmBootstrap", "there is no osm-bootstrap: the operator replaces it", nil},
	{"osm.controlPlaneTolerations", "tolerations are not supported", nil},
	{"osm.preinstall", "there is no preinstall job: use `osm check --pre-install`", nil},
	{"osm.cleanup", "there is no cleanup job: the operator removes all resources", nil},
	{"osm.enforceSingleMesh", "use --enforce-single-mesh", nil},
	{"osm.caBundleSecretName", "the Secret is always named osm-ca-bundle", []string{"osm-ca-bundle"}},
	{"osm.webhookConfigNamePrefix", "the webhook is always named osm-webhook-<mesh>", []string{"osm-webhook"}},
	{"osm.validatorWebhook", "the webhook is always named osm-validator-mesh-<mesh>", []string{""}},
	{"osm.enableReconciler", "the operator always corrects drift", []string{"true"}},
	{"osm.enableFluentbit", "Fluent Bit is not deployed: logs are written to standard output", []string{"false"}},
	{"osm.prometheus.port", "the port of Prometheus is always 7070", []string{"7070"}},
	{"osm.prometheus", "set spec.observability.prometheus.managed in the Mesh", nil},
	{"osm.grafana.port", "the port of Grafana is always 3000", []string{"3000"}},
	{"osm.grafana", "set spec.observability.grafana.managed in the Mesh", nil},
	{"osm.fluentBit", "Fluent Bit is not deployed: logs are written to standard output", nil},
	{"osm.multicluster", "multicluster meshes are not supported", []string{"false"}},
	{"osm.featureFlags.enableMulticlusterMode", "multicluster meshes are not supported", []string{"false"}},
	{"smi.validateTrafficTarget", "TrafficTargets are always validated", []string{"true"}},
	{"contour.enabled", "Contour is not deployed: install your own", []string{"false"}},
	{"contour", "Contour is not deployed: install your own", nil},
}
