// Command demo-bookwarehouse restocks the demo's books from MySQL. Package demo describes its environment variables and
// output.
package main
