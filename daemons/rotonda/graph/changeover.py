"""From one program to another while an instance runs: all of it, or nothing.

Everything that can be refused has been refused before this begins. What is left is the world: a port that somebody took
a moment ago. Then the way is gone back: stages that were taken out still have all that they held, and are put in again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger

from rotonda.blocks.program import Program
from rotonda.graph.changes import Fate
from rotonda.graph.filtering import Handover
from rotonda.graph.plan import CannotRun, Plan, Planned
from rotonda.graph.remotes import Remote
from rotonda.graph.server import SETTINGS, TablesServer, for_routers
from rotonda.graph.stages import Stage

if TYPE_CHECKING:
    from rotonda.graph.instance import Instance


class Changeover:
    """One change of an instance from its plan to another one."""

    log = Logger()

    def __init__(
        self,
        instance: Instance,
        after: Plan,
        program: Program,
        fate: Mapping[str, Fate],
        fresh: Sequence[Stage],
        handover: Handover,
    ) -> None:
        self._instance = instance
        self._before, self._old = instance.plan, instance.program
        self._after, self._program = after, program
        self._fate, self._fresh, self._handover = fate, fresh, handover
        self._taken_out: list[Stage] = []
        self._left: dict[str, Remote] = {}
        """Instances that are not followed any more, or otherwise."""
        self._server_before: TablesServer | None = None
        """The server that has ended, if its settings changed."""

    async def run(self) -> None:
        """Go over. Raises CannotRun, when everything is as before."""
        try:
            await self._change_stages()
            await self._change_server()
        except Exception as wrong:
            self.log.debug("going back: {wrong}", wrong=wrong)
            await self._go_back()
            raise CannotRun(f"{wrong}; everything is as before") from wrong
        self._handover.done()
        for stage in self._taken_out:
            stage.close()
        for remote in self._left.values():
            remote.close()
        instance = self._instance
        records = [stage.flow.record for stage in instance.stages.values() if stage.flow is not None]
        instance.around.stores.keep(records)

    # --- forth -------------------------------------------------------------------------------------------------------

    async def _change_stages(self) -> None:
        instance, after = self._instance, self._after
        for name, own in self._fate.items():
            if own in (Fate.GONE, Fate.REPLACED):
                await self._take_out(name)
        for name in [name for name in instance.remotes if self._is_followed_otherwise(name)]:
            await self._leave(name)
        for stage in self._fresh:
            instance.add(stage)
        for name in after.remotes:
            if name not in instance.remotes:
                instance.add_remote(after, self._program, name)
        for name, own in self._fate.items():
            if own is Fate.FILTERED:
                instance.stages[name].use(after.units[name].block, instance.filters)
        self._join(after, self._before)
        instance.plan, instance.program = after, self._program
        instance.filters.open()

    def _join(self, plan: Plan, before: Plan) -> None:
        """Have every unit follow its wests, from west to east, where those are others than before."""
        new = {id(stage) for stage in self._fresh}
        new.update(id(stage) for stage in self._taken_out)
        remotes = [*self._left.values(), *self._instance.remotes.values()]
        new.update(id(stage) for remote in remotes for stage in remote.stages.values() if self._is_new(remote))
        for name, planned in plan.units.items():
            if self._has_new_wests(planned, before.units.get(name), new):
                stage = self._instance.stages[name]
                had_data = stage.rpki is not None
                self._instance.join(planned)
                if had_data != (stage.rpki is not None):
                    new.add(id(stage))

    def _has_new_wests(self, planned: Planned, before: Planned | None, new: set[int]) -> bool:
        stages = self._instance.stages
        around = [stages[planned.block.name], *(stages[west.name] for west in planned.wests)]
        return before is None or before.wests != planned.wests or any(id(stage) in new for stage in around)

    def _is_new(self, remote: Remote) -> bool:
        return self._is_followed_otherwise(remote.name) or remote.name not in self._before.remotes

    def _is_followed_otherwise(self, name: str) -> bool:
        before, after = self._before, self._after
        same = name in after.remotes and name in before.remotes and before.remotes[name] == after.remotes[name]
        return not same or set(before.followed(name)) != set(after.followed(name)) or self._is_of_another_kind(name)

    def _is_of_another_kind(self, name: str) -> bool:
        """Whether what is followed of an instance are other records than before."""
        return any(
            self._old.units[unit].gives != self._program.units[unit].gives for unit in self._after.followed(name)
        )

    async def _take_out(self, name: str) -> None:
        stage = self._instance.stages.pop(name)
        self._taken_out.append(stage)
        await maybeDeferred(stage.disownServiceParent)

    async def _leave(self, name: str) -> None:
        remote = self._left[name] = self._instance.remotes.pop(name)
        await maybeDeferred(remote.link.service.disownServiceParent)
        for stage in remote.stages.values():
            del self._instance.stages[stage.title]
            await maybeDeferred(stage.disownServiceParent)

    async def _change_server(self) -> None:
        instance, before, after = self._instance, self._before, self._after
        routers = for_routers(after, instance.stages, instance.server.routers)
        anew = any(getattr(before.daemon, name) != getattr(after.daemon, name) for name in SETTINGS)
        if anew or routers != instance.server.routers:
            await self._serve_anew(after)
        else:
            for stage in self._taken_out:
                instance.server.withdraw(stage)
            for name in after.units:
                instance.server.serve(instance.stages[name])
        instance.filters.open()
        if self._server_before is not None or before.daemon.http != after.daemon.http:
            await self._answer_anew(after)

    async def _serve_anew(self, plan: Plan) -> None:
        instance = self._instance
        self._server_before, routers = instance.server, instance.server.routers
        instance.server.leave("the configuration changes")
        await maybeDeferred(instance.server.disownServiceParent)
        instance.server = TablesServer(instance.around, plan, instance.stages, routers)
        instance.server.setServiceParent(instance)

    async def _answer_anew(self, plan: Plan) -> None:
        instance = self._instance
        if instance.site is not None:
            await maybeDeferred(instance.site.disownServiceParent)
            instance.site = None
        instance.site = instance.api(plan.daemon)

    # --- and back ----------------------------------------------------------------------------------------------------

    async def _go_back(self) -> None:
        """As it was: the same stages, filters and remote instances, and a server like the one before."""
        instance = self._instance
        for stage in self._fresh:
            if instance.stages.get(stage.title) is stage:
                del instance.stages[stage.title]
            if stage.parent is not None:
                await maybeDeferred(stage.disownServiceParent)
        for name in [name for name in instance.remotes if name in self._left or name not in self._before.remotes]:
            remote = instance.remotes.pop(name)
            await maybeDeferred(remote.link.service.disownServiceParent)
            for own in remote.stages.values():
                del instance.stages[own.title]
                await maybeDeferred(own.disownServiceParent)
            remote.close()
        for stage in self._taken_out:
            instance.add(stage)
        for remote in self._left.values():
            instance.put_back(remote)
        self._handover.undo()
        for name, one in self._fate.items():
            if one is Fate.FILTERED:
                instance.stages[name].use(self._before.units[name].block, instance.filters)
        instance.plan, instance.program = self._before, self._old
        self._join(self._before, self._after)
        instance.filters.open()
        for stage in self._fresh:
            instance.server.withdraw(stage)
            stage.close()
        if self._server_before is None:
            for name in self._before.units:
                instance.server.serve(instance.stages[name])
        else:
            await self._serve_anew(self._before)
        if self._server_before is not None or instance.site is None:
            await self._answer_anew(self._before)
