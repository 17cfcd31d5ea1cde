// A program in Go that takes a task over CGI: all users.
package main

import "os"

func main() {
	os.Stderr.WriteString("listing the users\n")
	os.Stdout.WriteString("Content-Type: application/json\n\n[\"Ada\", \"Grace\"]\n")
}
