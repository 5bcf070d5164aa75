/* What a Cortex-M needs before main: the table of the stack and of where to begin. The emulator loads .data and clears .bss. */
#include <stdint.h>
#include <stdlib.h>

extern uint32_t stack_top;
extern int main(int argc, char **argv);
extern void initialise_monitor_handles(void);

void reset(void)
{
    initialise_monitor_handles();
    exit(main(1, 0));
}

static void fault(void)
{
    exit(3);
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    &stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};

void _init(void)
{
}

void _fini(void)
{
}
