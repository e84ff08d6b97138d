// Command probe is what runs in the pods that check the local cluster: a web server, and the few tools a shell would offer.
//
// In: `probe serve`, `probe get FAMILY URL`, `probe cat FILE`. Out: answers on port 8080, or the answer on standard output.
package main
