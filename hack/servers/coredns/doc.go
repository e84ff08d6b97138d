// Command coredns is CoreDNS with the plugins that the local cluster uses. All plugins together need the clients of several clouds, which take
// minutes to compile.
//
// In: the command line and the Corefile of CoreDNS. Out: CoreDNS, unchanged.
package main
