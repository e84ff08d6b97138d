package main

// step is a part of the demo that takes a while.
type step struct {
	name string
	// does is what happens, with the command that a user would run.
	does string
	// usual is the time on two cores: first with an empty cache, then later.
	usual string
}

func clusterStep() step {
	return step{"cluster", "start a one-node Kubernetes on this machine", "15 s; 10 minutes the first time, which builds Kubernetes"}
}

func imagesStep() step {
	return step{"images", "build the images of the project and load them", "20 s; 4 minutes the first time"}
}

func checkStep() step {
	return step{"check", "osm check --pre-install", "5 s; a minute the first time, which builds osm"}
}

func operatorStep() step {
	return step{"operator", "kubectl apply --server-side -f dist/install.yaml", "10 s"}
}

func meshStep() step {
	return step{"mesh", "kubectl apply -f config/samples/operator_v1alpha1_mesh.yaml, and wait until it is Ready", "15 s"}
}

func bookstoreStep() step {
	return step{"bookstore", "kubectl apply -k config/samples/bookstore, and wait for its pods", "30 s"}
}

func observabilityStep() step {
	return step{"observability", "Prometheus, Jaeger and traces", "one minute; 10 minutes the first time, which builds both"}
}

func trafficStep() step {
	return step{"traffic", "count requests, until 40 books are bought without a failure", "30 s"}
}
