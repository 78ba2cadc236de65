package main

import (
	"os/exec"
	"runtime"
	"syscall"
)

// starts holds what the one thread is to start that starts everything.
var starts = make(chan func())

// keepStarting is that thread. The kernel kills a process with the *thread*
// that started it (PR_SET_PDEATHSIG in prctl(2)), not with its parent process,
// so the thread has to live as long as the bed: it is never given back.
func keepStarting() {
	runtime.LockOSThread()
	for start := range starts {
		start()
	}
}

// start starts cmd in a process group of its own, so that Ctrl-C reaches only
// the supervisor, and so that it dies with the supervisor, however that ends.
func start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	done := make(chan error)
	starts <- func() { done <- cmd.Start() }
	return <-done
}

// killGroup kills a process that `start` started, and its children.
func killGroup(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
