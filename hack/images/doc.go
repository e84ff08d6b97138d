// Command images builds every container image of the project without a container engine.
//
// Input: the repository's main packages, Debian packages, the Envoy wheel. Output: one OCI archive per image and the
// list images.lock, in the output folder. The same input gives the same digests, and unchanged images are not written
// again.
//
//	go run ./images [-o DIR] [-version V] [NAME...]   build the named images, or all of them
//	                                                  (images of applications, app-NAME, only by name)
//	go run ./images -without NAME,...                 build all but these
//	go run ./images -platforms linux/amd64,linux/arm64
//	                                                  build image indexes, as for releases
//	go run ./images programs [NAME...]                compile programs of cmd/ for this machine into bin/ or the folder of -o
//	go run ./images list                              print the image names
//	go run ./images envoy-path                        print the path of Envoy, downloading it if needed
//	go run ./images earlier-envoy-path                print the path of the earlier minor version of Envoy, used in tests
//	go run ./images oldest-envoy-path                 print the path of the oldest Envoy, which tests run as the sidecar of Open Service Mesh
//	go run ./images prometheus-path                   print the path of Prometheus, used in tests that scrape sidecars
//	go run ./images chromium-path                     print the path of Chromium, downloading it if needed, used in tests
//	go run ./images redis-path                        print the path of Redis, downloading it if needed, used in tests
package main
